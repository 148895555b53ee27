"""Helm charts as archives and directories."""
