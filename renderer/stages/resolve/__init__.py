"""A question and its catalog to one version per extension, or to a conflict as data.

`offers` says what the catalog holds, `solver` runs the search, `causes` puts its proof into the words of profiles and
bundles, `answers` makes the result and checks it.
"""

from renderer.stages.resolve.answers import attempt, resolve

__all__ = ["attempt", "resolve"]
