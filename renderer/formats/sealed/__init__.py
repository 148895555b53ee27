"""Sealed values: the formats of age and SOPS, and the file that keeps a site's captured values."""
