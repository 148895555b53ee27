"""Nouns: frozen values that cannot be wrong once built."""
