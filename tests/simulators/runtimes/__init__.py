"""Which manifest URLs a node would ask, in order, with given node files: one module for each way to tell a runtime.

Each is written from the runtime's own rules, named in its docstring, and knows nothing of how Sitewright writes files.
A file that the runtime skips is skipped here: what is left is what the node would do, also with a mistaken file.
`files` are paths relative to `nodes/<runtime>/`; a URL reads `scheme://host/path/manifests/<tag or digest>`.
"""
