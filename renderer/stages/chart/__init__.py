"""Charts: plan one inflation, read back what the engine answered, turn Helm hooks into ordinary objects.

docs/charts.md says in words what happens here.
"""

from renderer.stages.chart.hooks import name_hooks
from renderer.stages.chart.plan import chart_request
from renderer.stages.chart.reading import read_chart

__all__ = ["chart_request", "name_hooks", "read_chart"]
