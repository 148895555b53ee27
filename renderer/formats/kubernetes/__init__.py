"""Manifests exactly as Kubernetes reads them, and how they are written."""
