"""Rendered trees, what changes in them, and what they leave behind."""
