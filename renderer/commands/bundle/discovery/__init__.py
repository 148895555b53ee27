"""Which images a bundle needs: what its components say when they are rendered, against what its author declared."""
