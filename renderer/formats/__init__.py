"""The only door between bytes and nouns."""
