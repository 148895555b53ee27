"""Jinja templates: sandboxed, strict, bounded, and a function of their input (jinja2).

A template sees plain JSON values and nothing of Python: no attribute that is not listed here, no method, filter,
test or global beyond the lists here, no clock and no randomness, no file; includes come from the mapping that is
given. What it may cost is counted by `renderer.formats.templates.budget`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import CodeType, MappingProxyType
from typing import Any, Final

from renderer.formats.templates.budget import (
    Budget,
    OverBudgetError,
    TemplateLimits,
    base64_of,
    quoted,
    sha256_of,
    size_of,
    spelled,
)
from renderer.formats.templates.errors import TemplateError, message_of, place_of
from renderer.model.fields import Json

__all__ = ["TemplateError", "TemplateLimits", "render_template"]

_FILTERS: Final = (
    "abs capitalize default d dictsort first float groupby int items last length count list lower map max min reject"
    " rejectattr reverse select selectattr sort title trim unique upper"
)
_TESTS: Final = (
    "boolean defined divisibleby eq equalto even false filter float ge gt in integer iterable le lower lt mapping ne"
    " none number odd sameas sequence string test true undefined upper == != > >= < <="
)
_METHODS: Final = (
    (str, frozenset({"endswith", "lower", "lstrip", "removeprefix", "removesuffix", "rstrip", "split", "splitlines",
                     "startswith", "strip", "title", "upper"})),
    (Mapping, frozenset({"get", "items", "keys", "values"})),
)  # fmt: skip
_LOOP: Final = frozenset(
    {"index", "index0", "first", "last", "length", "revindex", "revindex0", "previtem", "nextitem", "cycle", "changed",
     "depth", "depth0"}
)  # fmt: skip
_OPERATORS: Final = frozenset({"*", "**", "+", "%"})
_FAULTS: Final = (ValueError, TypeError, ArithmeticError, LookupError, NameError, AttributeError, RuntimeError)
"""What expressions raise: the values do not fit them."""
_KEPT: Final = 512
_compiled: dict[tuple[str, str], CodeType] = {}


def render_template(
    text: str,
    values: Mapping[str, Json],
    *,
    name: str,
    includes: Mapping[str, str] = MappingProxyType({}),
    limits: TemplateLimits = TemplateLimits(),  # noqa: B008 - frozen
) -> str:
    """The text that the template `text` yields for `values`.

    `includes` holds what `{% include %}`, `{% import %}` and `{% extends %}` may name. Filters beyond Jinja's:
    `to_yaml`, `to_json`, `b64encode`, `sha256`, `quote`. Line breaks behind block tags are left out, and so are
    spaces before them. Raises TemplateError with the name and line of the template that is at fault.
    """
    from jinja2.exceptions import TemplateError as JinjaError
    from jinja2.exceptions import TemplateSyntaxError

    try:
        engine = _engine()(includes, limits)
        return str(engine.named(name, text).render(values))
    except TemplateSyntaxError as error:
        raise TemplateError(error.name or name, error.lineno, error.message or "syntax error") from error
    except (RecursionError, MemoryError, SyntaxError) as error:
        raise TemplateError(name, None, "it is nested too deeply") from error
    except (JinjaError, OverBudgetError, *_FAULTS) as error:
        where, line = place_of(error, name)
        raise TemplateError(where, line, message_of(error, values)) from error


class _Sandbox:
    """What differs from Jinja's own sandbox; mixed into its environment."""

    filters: dict[str, Any]
    tests: dict[str, Any]
    globals: dict[str, Any]
    undefined: Any
    intercepted_binops = _OPERATORS

    def __init__(self, includes: Mapping[str, str], limits: TemplateLimits) -> None:
        import jinja2

        super().__init__(  # type: ignore[call-arg]
            undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
            optimized=False, autoescape=False, finalize=spelled, cache_size=0,
        )  # fmt: skip
        self.includes = includes
        self.budget = budget = Budget(limits)
        own: dict[str, Any] = {
            "to_yaml": budget.as_yaml, "to_json": budget.as_json, "tojson": budget.as_json, "b64encode": base64_of,
            "sha256": sha256_of, "quote": quoted, "indent": budget.indented, "replace": budget.replaced,
            "join": self._join, "string": lambda value: str(spelled(value)),
        }  # fmt: skip
        kept = {key: self.filters[key] for key in _FILTERS.split()}
        self.filters = {key: self._counted(one) for key, one in {**kept, **own}.items()}
        self.filters["_rounds"] = budget.rounds
        self.tests = {key: self.tests[key] for key in _TESTS.split()}
        self.globals = {"range": self._range, "dict": self._dict, "namespace": self.globals["namespace"]}
        self.concat = budget.joined

    def named(self, name: str, text: str) -> Any:
        """The compiled template; compiled code is remembered by name and text."""
        if len(text) > self.budget.limits.source:
            raise OverBudgetError(f"the template has more than {self.budget.limits.source} characters")
        code = _compiled.get((name, text))
        if code is None:
            if len(_compiled) >= _KEPT:
                _compiled.clear()
            code = _compiled[name, text] = self.compile(text, name, name)  # type: ignore[attr-defined]
        return self.template_class.from_code(self, code, self.globals)  # type: ignore[attr-defined]

    def get_template(self, name: Any, parent: str | None = None, globals: Any = None) -> Any:  # noqa: A002, ARG002 - Jinja's signature
        """A template to include: only those that were given."""
        from jinja2.exceptions import TemplateNotFound

        self.budget.spend()
        if not isinstance(name, str) or name not in self.includes:
            known = ", ".join(f"`{one}`" for one in sorted(self.includes)[:10]) or "none"
            raise TemplateNotFound(str(name), f"there is no template `{name}` to include; there are: {known}")
        return self.named(name, self.includes[name])

    def _parse(self, source: str, name: str | None, filename: str | None) -> Any:
        """Jinja's parser; afterwards every loop counts its rounds."""
        from jinja2 import nodes

        tree = super()._parse(source, name, filename)  # type: ignore[misc]
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, "_rounds", [], [], None, None, lineno=loop.lineno)
        return tree

    def handle_exception(self, source: str | None = None) -> None:  # noqa: ARG002 - Jinja's signature
        """Raise as it is; Jinja would rewrite the traceback, which costs and hides nothing from us."""
        raise  # noqa: PLE0704 - called while an exception is handled

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute`: a key of a mapping, a listed method, or something of the loop."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        if not attribute.startswith("_") and self._is_listed(obj, attribute):
            return getattr(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`obj[argument]`: an item, never an attribute."""
        try:
            return obj[argument]
        except (LookupError, TypeError):
            return self.undefined(obj=obj, name=argument)

    def call(self, context: Any, called: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a macro, a global, or a listed method."""
        from jinja2.runtime import LoopContext, Macro

        method = getattr(called, "__self__", None)
        listed = method is not None and self._is_listed(method, getattr(called, "__name__", ""))
        if not (listed or isinstance(called, Macro | LoopContext) or called in self.globals.values()):
            raise ValueError(
                "only macros, `range`, `dict`, `namespace` and methods of texts and mappings can be called"
            )
        self.budget.spend(sum(size_of(argument) for argument in (method, *args)))
        return context.call(called, *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002 - Jinja's signature
        """Operators that can multiply."""
        if operator == "%":
            if isinstance(left, str):
                raise ValueError("`%` divides numbers; put texts together with `~`")
            return left % right
        operators = {"*": self.budget.multiplied, "**": self.budget.power, "+": self.budget.added}
        return operators[operator](left, right)

    def together(self, *parts: Any) -> str:
        """`a ~ b`."""
        return self.budget.joined(str(spelled(part)) for part in parts)

    def _is_listed(self, obj: Any, attribute: str) -> bool:
        from jinja2.environment import TemplateModule
        from jinja2.runtime import LoopContext
        from jinja2.utils import Namespace

        if isinstance(obj, TemplateModule | Namespace):
            return hasattr(obj, attribute)
        if isinstance(obj, LoopContext):
            return attribute in _LOOP
        return any(isinstance(obj, kind) and attribute in methods for kind, methods in _METHODS)

    def sliced(self, obj: Any, part: slice) -> Any:
        """`obj[a:b]`."""
        self.budget.spend(size_of(obj))
        return obj[part]

    def _counted(self, one: Any) -> Any:
        @functools.wraps(one)
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.budget.spend(sum(size_of(argument) for argument in args[:2]))
            return one(*args, **kwargs)

        return counted

    def _join(self, items: Any, between: str = "", attribute: str | None = None) -> str:
        picked = items if attribute is None else [self.getitem(item, attribute) for item in items]
        parts = [str(spelled(item)) for item in self.budget.rounds(picked)]
        self.budget.text(sum(map(len, parts)) + len(between) * len(parts))
        return between.join(parts)

    def _range(self, *bounds: int) -> range:
        made = range(*bounds)
        if len(made) > self.budget.limits.nodes:
            raise OverBudgetError(f"`range` gives more than {self.budget.limits.nodes} numbers")
        return made

    def _dict(self, *args: Any, **kwargs: Any) -> Any:
        return self.budget.measured(dict(*args, **kwargs))


class _Code:
    """What differs in the code that Jinja generates: whatever builds texts and values is counted."""

    def visit_Concat(self, node: Any, frame: Any) -> None:  # noqa: N802 - Jinja's naming
        """`a ~ b`."""
        self._wrapped("environment.together(", node.nodes, frame)

    def visit_List(self, node: Any, frame: Any) -> None:  # noqa: N802
        """`[a, b]`."""
        self._wrapped("environment.budget.measured([", node.items, frame, "])")

    def visit_Getitem(self, node: Any, frame: Any) -> None:  # noqa: N802
        """`a[b]`, `a[b:c]`."""
        from jinja2 import nodes

        if isinstance(node.arg, nodes.Slice):
            nothing = nodes.Const(None)
            bounds = [part or nothing for part in (node.arg.start, node.arg.stop, node.arg.step)]
            self.write("environment.sliced(")  # type: ignore[attr-defined]
            self.visit(node.node, frame)  # type: ignore[attr-defined]
            self._wrapped(", slice(", bounds, frame, "))")
        else:
            super().visit_Getitem(node, frame)  # type: ignore[misc]

    def _output_child_to_const(self, node: Any, frame: Any, finalize: Any) -> str:
        """Only plain text is known before a template runs: constants are spelled by `spelled` like all values."""
        from jinja2 import nodes

        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible
        return str(super()._output_child_to_const(node, frame, finalize))  # type: ignore[misc]

    def _wrapped(self, opening: str, items: Any, frame: Any, closing: str = ")") -> None:
        write, visit = self.write, self.visit  # type: ignore[attr-defined]
        write(opening)
        for item in items:
            visit(item, frame)
            write(", ")
        write(closing)


@functools.cache
def _engine() -> Any:
    """The environment class; building it imports jinja2, which start-up does without."""
    from jinja2.compiler import CodeGenerator
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    generator = type("Generator", (_Code, CodeGenerator), {})
    return type("Engine", (_Sandbox, ImmutableSandboxedEnvironment), {"code_generator_class": generator})
