"""Rendered trees as git commits: `sitewright render --repo REPOSITORY --branch BRANCH`."""
