"""Site profiles: one file or several layers of files to a `Site`."""
