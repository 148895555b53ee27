"""The order of a site: which object is applied in which wave, and why.

`planning` decides; `makers` says which extensions wait for an operator that makes their Secrets; `findings` are what is
said of an order that cannot hold.
"""

from renderer.stages.waves.planning import Planned, plan_waves

__all__ = ["Planned", "plan_waves"]
