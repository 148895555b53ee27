"""What a chart invents: templates that call such functions, and fields that differ between two renders.

`sitewright lock` scans every chart, renders those that may invent something twice, and writes down what differed;
`renderer.stages.settle` takes it from there. docs/charts.md lists the functions and says why. Comparing
(`discovering.discover`) is left to those who lock: a render does not load it.
"""

from renderer.stages.generated.checksums import TemplateSums, template_sums
from renderer.stages.generated.rewriting import KNOWN_KEYS, OTHER_TIME, Change, rewritten
from renderer.stages.generated.scanning import (
    TemplateUse,
    UseKind,
    makes_keys,
    may_invent,
    reads_clock,
    scan_templates,
    template_findings,
)

__all__ = [
    "KNOWN_KEYS",
    "OTHER_TIME",
    "Change",
    "TemplateSums",
    "TemplateUse",
    "UseKind",
    "makes_keys",
    "may_invent",
    "reads_clock",
    "rewritten",
    "scan_templates",
    "template_findings",
    "template_sums",
]
