"""The registry and the images of a site -> mirror plan; mirror plan -> node configuration for each runtime.

Nothing is imported here: who needs the plan alone need not load what writes YAML and TOML.
"""
