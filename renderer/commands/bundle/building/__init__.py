"""`sitewright bundle build`: from `bundle.yaml` to an OCI image layout."""
