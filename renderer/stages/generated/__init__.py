"""What a chart invents: templates that call such functions, and fields that differ between two renders.

`sitewright lock` scans every chart, renders those that may invent something twice, and writes down what differed;
`renderer.stages.settle` takes it from there. docs/charts.md lists the functions and says why.
"""

from renderer.stages.generated.comparing import differences
from renderer.stages.generated.scanning import TemplateUse, UseKind, may_invent, scan_templates, template_findings

__all__ = ["TemplateUse", "UseKind", "differences", "may_invent", "scan_templates", "template_findings"]
