"""Bundles as OCI artifacts: manifests, `bundle.json`, `bundle.yaml`, receipts."""
