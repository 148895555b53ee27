"""What charts invent at every render, and what it is good for."""
