"""What goes before what: waves, hooks, the order of kinds, requirements."""
