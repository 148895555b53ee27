"""The verbs over one or more sites: lock, render, resolve, tree, why, mirrors; they share how a site is loaded."""
