"""Generated values -> values that every render agrees on, or objects that stay out of the tree.

The lock says which fields a chart invents (`GeneratedValue`); one render is enough then, because what stands in those
fields is never read: two renders settle to the same bytes.

- What a rule of the profile gives a value gets it.
- What a mode settles goes to the module of that mode (`external`, `sealed`, `cert_manager`, `in_cluster`).
- A checksum becomes the SHA-256 of what the objects that it sums have settled to.
- An invented name becomes its stable part and a hash of the object's content; a hook gets that hash when its images
  are pinned (`renderer.stages.chart.name_hooks`).
"""

from renderer.stages.settle.dispatch import settle, unsettled
from renderer.stages.settle.ways import PLACEHOLDER, Settled

__all__ = ["PLACEHOLDER", "Settled", "settle", "unsettled"]
