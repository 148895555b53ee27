"""Images: where objects name them, what they are pinned to, how they reach a site."""
