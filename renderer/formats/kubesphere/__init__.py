"""KubeSphere extension packages."""
