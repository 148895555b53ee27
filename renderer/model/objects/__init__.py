"""Kubernetes objects: identity, content, scope, what the API knows of them."""
