"""Sitewright: a site profile in, a reviewed git commit that an air-gapped cluster can apply out."""

__version__ = "0.1.0"
