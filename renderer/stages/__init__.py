"""Arrows: pure steps of the flow, none of which imports another."""
