"""The commands, as data with their handlers."""
