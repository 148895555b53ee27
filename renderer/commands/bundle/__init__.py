"""`sitewright bundle`: what is packed, signed, verified, carried and kept."""
