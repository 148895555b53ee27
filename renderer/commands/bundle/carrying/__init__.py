"""Bundles on their way: to a registry and from it, and as what is new since a base."""
