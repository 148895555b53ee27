"""YAML and JSON as people write them: every fault at its place, schemas, layers kept apart."""
