"""Moving blobs between a layout and a registry, in a few threads, over ports: what several verbs do."""
