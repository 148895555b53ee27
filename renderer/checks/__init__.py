"""Judgements: each module offers RULES that turn a rendering into findings."""
