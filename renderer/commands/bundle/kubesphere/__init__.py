"""`sitewright bundle import kubesphere`: extension packages as they are published, made into bundles."""
