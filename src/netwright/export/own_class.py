"""The source of a class of the user's own, with everything its module must lend it, or which name cannot be copied.

A class refers to names of its module: imports, helper functions, other classes, constants; those refer to others in
turn. The transitive closure is found in the module's syntax tree and copied as it is written. What cannot be copied
faithfully is refused with its name: relative imports, packages beyond the standard library, torch and numpy, names
bound by ``if``, ``try`` or a star import, constants that are not literals or arithmetic on copied names, constants
that were changed since. Nothing is run here, and nothing is known of how a network is generated.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType

from netwright.errors import ExportError
from netwright.export.names import annotation_names, bound_names, needed_names

PACKAGES = frozenset({"torch", "numpy", *sys.stdlib_module_names})
"""Packages that copied code may import; ``model.py`` needs torch, and numpy only where the class itself does."""

PURE_CALLS = frozenset({"math", "TypeVar", "NewType", "ParamSpec", "namedtuple", "frozenset", "range", "tuple", "dict"})
"""Roots of the calls allowed in a copied constant: they give the same value wherever they run."""


@dataclass(frozen=True, slots=True)
class Copied:
    """Copied source.

    Args:
        imports: one import statement a bound name, sorted.
        definitions: (name, source text) of constants, functions and classes, in the order they must run.
    """

    imports: tuple[str, ...]
    definitions: tuple[tuple[str, str], ...]


def copy_classes(classes: Iterable[type]) -> Copied:
    """Copy classes and what they need.

    Args:
        classes: at the top level of modules that lie in files.

    Raises:
        ExportError: something cannot be copied; names it, says why, and what to do.
    """
    imports: dict[str, str] = {}
    definitions: dict[str, str] = {}
    for cls in classes:
        found = _Closure(cls)
        for name, text in found.imports.items():
            if imports.setdefault(name, text) != text:
                raise _refusal(cls, name, f"it means {imports[name]!r} in another class's module", "import it alike")
        for name, text in found.definitions:
            if definitions.setdefault(name, text) != text:
                raise _refusal(cls, name, "another class needs a different definition of that name", "rename one")
    clash = sorted(set(imports) & set(definitions))
    if clash:
        raise ExportError(f"{clash[0]!r} is imported by one class and defined by another's module; rename one")
    return Copied(tuple(sorted(set(imports.values()))), tuple(definitions.items()))


class _Closure:
    """What one class needs of its module."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.module, self.text = _module_of(cls)
        self.lines = self.text.splitlines()
        self._tree = ast.parse(self.text)
        self.bindings: dict[str, list[ast.stmt]] = {}
        self.stars: list[str] = []
        self._read_module()
        self.imports: dict[str, str] = {}
        self._needed: set[int] = set()
        self._follow()

    @property
    def definitions(self) -> Iterator[tuple[str, str]]:
        """Name and text of each copied statement, in the module's order."""
        for names, node in self._statements():
            if id(node) in self._needed:
                yield names[0], self._segment(node)

    def _read_module(self) -> None:
        for names, node in self._statements():
            for name in names:
                self.bindings.setdefault(name, []).append(node)
            if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
                self.stars.append(node.module or ".")

    def _statements(self) -> Iterator[tuple[list[str], ast.stmt]]:
        for node in self._tree.body:
            guarded = isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
            for inner in node.body if guarded and isinstance(node, ast.If) else [node]:
                yield sorted(bound_names(inner)), inner

    def _follow(self) -> None:
        nodes = self.bindings.get(self.cls.__name__, [])
        if (
            not nodes
            or not isinstance(nodes[-1], ast.ClassDef)
            or vars(self.module).get(self.cls.__name__) is not self.cls
        ):
            raise _refusal(self.cls, self.cls.__name__, "its module does not define it by a class statement", "do so")
        open_names, seen = [self.cls.__name__], set[str]()
        while open_names:
            name = open_names.pop()
            if name in seen:
                continue
            seen.add(name)
            open_names.extend(self._copy(name))

    def _copy(self, name: str) -> set[str]:
        """Take over what binds a name; return the names that needs in turn."""
        if name not in self.bindings:
            raise self._missing(name)
        needed: set[str] = set()
        for node in self.bindings[name]:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self.imports[name] = self._import(name, node)
            else:
                self._refuse_uncopyable(name, node)
                self._needed.add(id(node))
                needed |= {n for n in needed_names(node) if n in self.bindings or not _is_builtin(n)}
                needed |= {n for n in annotation_names(node) if self._may_annotate(n)}
        return needed

    def _may_annotate(self, name: str) -> bool:
        """Whether a name used in annotations only can be imported; they are not evaluated, so it need not be."""
        nodes = self.bindings.get(name, [])
        return bool(nodes) and all(
            (isinstance(node, ast.Import) and all(_root(alias.name) in PACKAGES for alias in node.names))
            or (isinstance(node, ast.ImportFrom) and node.level == 0 and _root(node.module) in PACKAGES)
            for node in nodes
        )

    def _import(self, name: str, node: ast.Import | ast.ImportFrom) -> str:
        alias = next(a for a in node.names if name in (a.asname, a.name, a.name.split(".")[0]))
        renamed = f" as {alias.asname}" if alias.asname and alias.asname != alias.name else ""
        if isinstance(node, ast.Import):
            if _root(alias.name) not in PACKAGES:
                raise self._foreign(name, alias.name)
            package, _, last = alias.name.rpartition(".")
            if package and alias.asname:  # import torch.nn as nn == from torch import nn
                return f"from {package} import {last}" + (f" as {alias.asname}" if alias.asname != last else "")
            return f"import {alias.name}{renamed}"
        if node.level:
            raise _refusal(
                self.cls,
                name,
                "it is a relative import",
                f"move it into {self.module.__name__}, or pass it as an argument",
            )
        if _root(node.module) not in PACKAGES:
            raise self._foreign(name, str(node.module))
        return f"from {node.module} import {alias.name}{renamed}"

    def _refuse_uncopyable(self, name: str, node: ast.stmt) -> None:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            return
        if not isinstance(node, (ast.Assign, ast.AnnAssign)):
            kind = type(node).__name__.lower()
            raise _refusal(
                self.cls, name, f"line {node.lineno} binds it by {kind!r}", "bind it once, by a plain statement"
            )
        value = node.value
        if value is None:
            return
        if isinstance(value, ast.Lambda):
            raise _refusal(self.cls, name, "it is a lambda", "write it as a function with def")
        if not _is_constant(value):
            why = f"it is an object made at import ({ast.unparse(value)[:60]}), not a literal"
            raise _refusal(self.cls, name, why, "make it in the class, or pass it as an argument")
        self._refuse_changed(name, value)

    def _refuse_changed(self, name: str, value: ast.expr) -> None:
        try:
            written = ast.literal_eval(value)
        except ValueError:
            return  # arithmetic on other names; those are checked where they are literals
        now = vars(self.module).get(name)
        if (type(now), now) != (type(written), written) and len(self.bindings[name]) == 1:
            why = f"it was changed after the import, from {str(written)[:40]!r} to {str(now)[:40]!r}"
            raise _refusal(self.cls, name, why, "write the value into the file")

    def _missing(self, name: str) -> ExportError:
        if self.stars:
            return _refusal(
                self.cls, name, f"it may come from 'from {self.stars[0]} import *'", "import it by its name"
            )
        return _refusal(self.cls, name, "its module does not bind it by a statement at the top level", "do so")

    def _foreign(self, name: str, package: str) -> ExportError:
        why = f"it comes from {package!r}, and an exported model imports torch, numpy and the standard library alone"
        return _refusal(self.cls, name, why, f"move it into {self.module.__name__}")

    def _segment(self, node: ast.stmt) -> str:
        """The text of a statement with its decorators and the comment lines right above it."""
        decorators = getattr(node, "decorator_list", [])
        start = min([node.lineno, *(d.lineno for d in decorators)]) - 1
        while start > 0 and self.lines[start - 1].startswith("#"):
            start -= 1
        return "\n".join(line.rstrip() for line in self.lines[start : node.end_lineno])


def _module_of(cls: type) -> tuple[ModuleType, str]:
    if "<locals>" in cls.__qualname__ or "." in cls.__qualname__:
        why = "it is defined inside a function or another class, whose variables cannot be copied"
        raise _refusal(cls, cls.__name__, why, "move it to the top level of a module")
    module = sys.modules.get(cls.__module__)
    try:
        if module is None:
            raise OSError(f"the module {cls.__module__!r} is not loaded")
        text = inspect.getsource(module)
        ast.parse(text)
    except (OSError, TypeError, SyntaxError) as error:
        why = f"its source cannot be read ({error})"
        raise _refusal(cls, cls.__name__, why, "write it into a .py file, and import it from there") from error
    return module, text


def _is_constant(value: ast.expr) -> bool:
    """Whether an expression gives the same value anywhere: literals, names, arithmetic, and calls known to be pure."""
    allowed = (
        ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple, ast.List, ast.Set, ast.Dict,
        ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Starred, ast.keyword,
        ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context,
    )  # fmt: skip
    for node in ast.walk(value):
        if isinstance(node, ast.Call):
            if _root(ast.unparse(node.func)) not in PURE_CALLS:
                return False
        elif not isinstance(node, allowed):
            return False
    return True


def _is_builtin(name: str) -> bool:
    import builtins

    return hasattr(builtins, name) or name in ("__name__", "__file__", "__doc__")


def _root(module: str | None) -> str:
    return (module or "").split(".", maxsplit=1)[0]


def _refusal(cls: type, name: str, why: str, cure: str) -> ExportError:
    what = "it" if name == cls.__name__ else f"{name!r}, which it needs,"
    return ExportError(
        f"the class {cls.__qualname__!r} cannot be copied into model.py: {what} cannot be: {why}; {cure}"
    )
