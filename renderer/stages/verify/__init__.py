"""Bytes, signatures, a trust policy and a moment to a `VerifiedBundle`; the only maker of one.

The order is the point: the manifest's digest, the signatures over it, the threshold, the config's digest, and only
then is the config read as JSON. Nothing is guessed: what is not proven is refused, with every signature accounted
for.
"""

from renderer.stages.verify.witness import load_bundle, verify

__all__ = ["load_bundle", "verify"]
