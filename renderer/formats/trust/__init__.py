"""Keys, signatures and trust policies."""
