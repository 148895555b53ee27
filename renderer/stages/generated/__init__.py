"""What a chart invents: templates that call such functions, and fields that differ between two renders.

`sitewright lock` scans every chart, renders those that may invent something twice, and writes down what differed;
`renderer.stages.settle` takes it from there. docs/charts.md lists the functions and says why.
"""

from renderer.stages.generated.checksums import TemplateSums, template_sums
from renderer.stages.generated.discovering import discover
from renderer.stages.generated.scanning import (
    TemplateUse,
    UseKind,
    at_another_time,
    may_invent,
    reads_clock,
    scan_templates,
    template_findings,
)

__all__ = [
    "TemplateSums",
    "TemplateUse",
    "UseKind",
    "at_another_time",
    "discover",
    "may_invent",
    "reads_clock",
    "scan_templates",
    "template_findings",
    "template_sums",
]
