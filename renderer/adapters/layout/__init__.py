"""OCI image layouts (image-layout.md), read as directories and as tar files.

Nothing is trusted: every blob is checked against its descriptor, links are refused, and a tar file is read where it
lies, without unpacking it. `layout_writer` writes them.
"""

from renderer.adapters.layout.opening import open_images, open_layout

__all__ = ["open_images", "open_layout"]
