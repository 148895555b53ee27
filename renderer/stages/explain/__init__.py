"""A conflict to prose: because, therefore, and what would solve it.

The facts are those of the solver's proof, told from the profile downwards, grouped and shortened. A suggestion is
printed only when the question, changed that way, was asked again and had an answer.
"""

from renderer.stages.explain.telling import explain

__all__ = ["explain"]
