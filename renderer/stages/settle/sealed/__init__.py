"""The mode `sealed`: captured once by `sitewright lock`, encrypted in git, the same bytes at every render.

`way` settles fields like the other modes. `capturing` and `sealing` are the lock's part: what is captured, and the file
that keeps it. `assembling` is the render's: sealed parts into the objects of the tree.
"""

from renderer.stages.settle.sealed.way import lacking, settled

__all__ = ["lacking", "settled"]
