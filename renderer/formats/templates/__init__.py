"""Jinja templates: sandboxed, strict, bounded."""
