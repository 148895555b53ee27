"""Places in the world, one library each, behind the protocols of renderer.ports."""
