"""`sitewright images sync|verify|list`."""
