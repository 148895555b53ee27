"""Nouns: frozen dataclasses that cannot be wrong once built."""
