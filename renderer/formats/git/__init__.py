"""Git objects and the addresses of remotes."""
