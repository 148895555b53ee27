"""What a change of a rendered tree means: which objects differ in which fields, and what is dangerous about it."""
