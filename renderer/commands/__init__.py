"""Verbs that a person types: imperative shell over ports."""
