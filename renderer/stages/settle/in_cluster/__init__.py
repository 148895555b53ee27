"""The mode `in-cluster`: a Job makes the values in the cluster, once, before the extension that needs them.

`objections` says what a Job cannot make. `units` cuts the rest into what is made together. `making` and `trusting`
write the scripts of the two Jobs, `objects` the Jobs and the few rights that they have.
"""

from renderer.stages.settle.in_cluster.objections import lacking
from renderer.stages.settle.in_cluster.way import settled

__all__ = ["lacking", "settled"]
