"""The registry and the images of a site -> mirror plan; mirror plan -> node configuration for each runtime."""

from renderer.stages.mirrors.nodes import RUNTIMES, node_files, runtimes_of
from renderer.stages.mirrors.plan import plan_mirrors

__all__ = ["RUNTIMES", "node_files", "plan_mirrors", "runtimes_of"]
