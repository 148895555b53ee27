"""Bundles and what they offer: extensions, charts, trust, receipts."""
