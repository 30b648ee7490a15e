"""The source of a class of the user's own, with everything its module must lend it, or which name cannot be copied.

A class refers to names of its module: imports, helper functions, other classes, constants; those refer to others in
turn. The transitive closure is found in the module's syntax tree and copied as it is written. What cannot be copied
faithfully is refused with its name: relative imports, packages beyond the standard library, torch and numpy, names
bound by ``if``, ``try`` or a star import, constants that are not literals or arithmetic on copied names, whatever was
changed or replaced since it was defined. Nothing is run here, and nothing is known of how a network is generated.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import FunctionType

from netwright.errors import ExportError
from netwright.export.names import annotation_names, class_body_names, needed_names
from netwright.export.own_constant import changed_literal, changes_to, is_constant
from netwright.export.own_module import OwnModule

PACKAGES = frozenset({"torch", "numpy", *sys.stdlib_module_names})
"""Packages that copied code may import; ``model.py`` needs torch, and numpy only where the class itself does."""

OF_THE_FILE = frozenset({"__file__", "__doc__", "__spec__", "__loader__", "__package__", "__path__"})
DYNAMIC = frozenset({"globals", "eval", "exec", "__import__"})
"""Builtins that reach names in ways that cannot be followed."""


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
    """Copy classes and what they need; classes of torch itself are imported.

    Args:
        classes: at the top level of modules that lie in files.

    Raises:
        ExportError: something cannot be copied; names it, says why, and what to do.
    """
    imports: dict[str, list[str]] = {}
    meanings: dict[str, list[str]] = {}
    definitions: dict[tuple[str, int], str] = {}
    closures: list[_Closure] = []
    for cls in classes:
        of_torch = _root(cls.__module__) == "torch"
        found = None if of_torch else _Closure(cls)
        for name, line in [(cls.__name__, _public_import(cls))] if found is None else found.imports:
            if not add_import(imports.setdefault(name, []), line):
                why = f"it means {imports[name][0]!r} elsewhere, and {line!r} here"
                raise _refusal(cls, name, why, "import it alike")
        if found is not None:
            closures.append(found)
            for name, texts in found.meanings().items():
                if meanings.setdefault(name, texts) != texts:
                    raise _refusal(cls, name, "another class needs a different definition of that name", "rename one")
            definitions.update(found.definitions())
    _refuse_clashes(closures, set(imports), set(meanings))
    lines = sorted({line for several in imports.values() for line in several})
    return Copied(tuple(lines), tuple((name, text) for (text, _), name in definitions.items()))


def add_import(lines: list[str], line: str) -> bool:
    """Add an import statement to those that bind the same name; whether that name still has one meaning.

    Example:
        >>> add_import(["import torch"], "import torch.utils.checkpoint"), add_import(["import torch as t"], "import t")
        (True, False)
    """
    if line not in lines:
        lines.append(line)
    return len(lines) == 1 or all(one.startswith("import ") and " as " not in one for one in lines)


class _Closure:
    """What one class needs of its module."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.home = _module_of(cls)
        self.imports: list[tuple[str, str]] = []
        self.builtins: set[str] = set()
        self._needed: set[int] = set()
        self._follow()
        self._refuse_changed_objects()

    def definitions(self) -> Iterator[tuple[tuple[str, int], str]]:
        """Text of each copied statement, how often it came before, and its name, in the module's order."""
        before: Counter[str] = Counter()
        for names, node in self._copied():
            text = self.home.segment(node)
            yield (text, before[text]), names[0]
            before[text] += 1

    def meanings(self) -> dict[str, list[str]]:
        """The text of the statements that bind each copied name."""
        texts: dict[str, list[str]] = {}
        for names, node in self._copied():
            for name in names:
                texts.setdefault(name, []).append(self.home.segment(node))
        return texts

    def _copied(self) -> Iterator[tuple[list[str], ast.stmt]]:
        return ((names, node) for names, node in self.home.statements if id(node) in self._needed)

    def _follow(self) -> None:
        name = self.cls.__name__
        nodes = self.home.bindings.get(name, [])
        if not nodes or not isinstance(nodes[-1], ast.ClassDef) or self.home.now(name) is not self.cls:
            raise _refusal(self.cls, name, "its module does not define it by a class statement", "do so")
        open_names, seen = [name], set[str]()
        while open_names:
            name = open_names.pop()
            if name not in seen:
                seen.add(name)
                open_names.extend(self._copy(name))

    def _copy(self, name: str) -> set[str]:
        """Take over what binds a name; return the names that needs in turn."""
        if name not in self.home.bindings:
            raise self._missing(name)
        needed: set[str] = set()
        for node in self.home.bindings[name]:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self._import(name, node)
            else:
                self._refuse_uncopyable(name, node)
                self._needed.add(id(node))
                needed |= self._needs(node)
        return needed

    def _needs(self, node: ast.stmt) -> set[str]:
        """Names of the module that a statement needs."""
        needed = {name for name in needed_names(node) if not self._is_builtin(name)}
        needed |= {name for name in class_body_names(node) if name in self.home.bindings}
        return needed | {name for name in annotation_names(node) if self._may_annotate(name)}

    def _is_builtin(self, name: str) -> bool:
        """Whether a name means what Python calls so: the module has no other meaning for it."""
        own = name in self.home.bindings or name in OF_THE_FILE | DYNAMIC
        if own or not hasattr(builtins, name):
            return False
        found = name == "__name__" or name not in vars(self.home.module)
        if found:
            self.builtins.add(name)
        return found

    def _may_annotate(self, name: str) -> bool:
        """Whether a name used in annotations only can be imported; they are not evaluated, so it need not be."""
        nodes = self.home.bindings.get(name, [])
        return bool(nodes) and all(
            (isinstance(node, ast.Import) and all(_root(alias.name) in PACKAGES for alias in node.names))
            or (isinstance(node, ast.ImportFrom) and node.level == 0 and _root(node.module) in PACKAGES)
            for node in nodes
        )

    def _import(self, name: str, node: ast.Import | ast.ImportFrom) -> None:
        """Take over what an import statement says of a name, which may be several packages of one root."""
        for alias in node.names:
            plain = alias.name.split(".")[0] if isinstance(node, ast.Import) else alias.name
            if name == (alias.asname or plain):
                self._refuse_foreign(name, alias.name if isinstance(node, ast.Import) else node)
                self.imports.append((name, _import_line(node, alias)))

    def _refuse_foreign(self, name: str, source: str | ast.ImportFrom) -> None:
        """Refuse a relative import, and a package that an exported model must do without."""
        here = f"move it into {self.home.name}"
        package = source if isinstance(source, str) else str(source.module)
        if isinstance(source, ast.ImportFrom) and source.level:
            raise _refusal(self.cls, name, "it is a relative import", f"{here}, or pass it as an argument")
        if _root(package) not in PACKAGES:
            why = f"it comes from {package!r}, and an export imports torch, numpy and the standard library alone"
            raise _refusal(self.cls, name, why, here)

    def _refuse_uncopyable(self, name: str, node: ast.stmt) -> None:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            self._refuse_replaced(name, node)
            for inner in ast.walk(node):
                if isinstance(inner, (ast.Import, ast.ImportFrom)):
                    for alias in inner.names:
                        bound = alias.asname or alias.name
                        self._refuse_foreign(bound, alias.name if isinstance(inner, ast.Import) else inner)
            return
        if not isinstance(node, (ast.Assign, ast.AnnAssign)):
            why = f"line {node.lineno} binds it by {type(node).__name__.lower()!r}"
            raise _refusal(self.cls, name, why, "bind it once, by a plain statement")
        if isinstance(node.value, ast.Lambda):
            raise _refusal(self.cls, name, "it is a lambda", "write it as a function with def")
        if node.value is not None and not is_constant(node.value, self.home):
            why = f"it is an object made at import ({ast.unparse(node.value)[:60]}), not a literal"
            raise _refusal(self.cls, name, why, "make it in the class, or pass it as an argument")
        changed = changed_literal(name, node, self.home)
        if changed is not None:
            why = f"it was changed after the import, from {str(changed[0])[:40]!r} to {str(changed[1])[:40]!r}"
            raise _refusal(self.cls, name, why, "write the value into the file")

    def _refuse_replaced(self, name: str, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Refuse a function or class that is not what the module has under its name now, where that can be told."""
        now, nodes = self.home.now(name), self.home.bindings[name]
        if node.decorator_list or node is not nodes[-1]:
            return
        if isinstance(node, ast.ClassDef):
            same = isinstance(now, type) and (now.__module__, now.__qualname__) == (self.home.name, name)
        else:
            same = isinstance(now, FunctionType) and now.__code__.co_firstlineno == node.lineno
        if not same:
            why = "the module or its file was changed after the import: it is not what the file says"
            raise _refusal(self.cls, name, why, "define it once, and start anew")

    def _refuse_changed_objects(self) -> None:
        """Refuse what a statement that is not copied changes: an entry of a table, a registered function."""
        copied = {name for names, _ in self._copied() for name in names}
        for _, node in self.home.statements:
            if id(node) not in self._needed:
                for name, line in changes_to(copied, node):
                    why = f"line {line}, which is not copied, changes it or may do so"
                    raise _refusal(self.cls, name, why, "complete it where it is defined")

    def _missing(self, name: str) -> ExportError:
        if name in OF_THE_FILE:
            return _refusal(self.cls, name, "it is another one in model.py", "pass what it gives as an argument")
        if name in DYNAMIC:
            return _refusal(self.cls, name, "the names it reaches cannot be followed", "write those names out")
        if self.home.stars:
            why = f"it may come from 'from {self.home.stars[0]} import *'"
            return _refusal(self.cls, name, why, "import it by its name")
        return _refusal(self.cls, name, "its module does not bind it by a statement at the top level", "do so")


def _import_line(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    renamed = f" as {alias.asname}" if alias.asname and alias.asname != alias.name else ""
    if isinstance(node, ast.ImportFrom):
        return f"from {node.module} import {alias.name}{renamed}"
    package, _, last = alias.name.rpartition(".")
    if package and alias.asname:  # import torch.nn as nn == from torch import nn
        return f"from {package} import {last}" + (f" as {alias.asname}" if alias.asname != last else "")
    return f"import {alias.name}{renamed}"


def _public_import(cls: type) -> str:
    """The import of a class of torch from the shortest of its packages that has it."""
    parts = cls.__module__.split(".")
    for length in range(1, len(parts) + 1):
        module = sys.modules.get(".".join(parts[:length]))
        if getattr(module, cls.__name__, None) is cls:
            return f"from {'.'.join(parts[:length])} import {cls.__name__}"
    raise _refusal(cls, cls.__name__, f"{cls.__module__} does not have it under its name", "derive a class from it")


def _refuse_clashes(closures: list[_Closure], imports: set[str], definitions: set[str]) -> None:
    clash = sorted(imports & definitions)
    if clash:
        raise ExportError(f"{clash[0]!r} is imported by one class and defined by another's module; rename one")
    for closure in closures:
        hidden = sorted(closure.builtins & (imports | definitions))
        if hidden:
            why = "it is Python's own, and another class's module means something else by it"
            raise _refusal(closure.cls, hidden[0], why, "rename the other")


def _module_of(cls: type) -> OwnModule:
    if "<locals>" in cls.__qualname__ or "." in cls.__qualname__:
        why = "it is defined inside a function or another class, whose variables cannot be copied"
        raise _refusal(cls, cls.__name__, why, "move it to the top level of a module")
    module = sys.modules.get(cls.__module__)
    try:
        if module is None:
            raise OSError(f"the module {cls.__module__!r} is not loaded")
        return OwnModule(module, inspect.getsource(module))
    except (OSError, TypeError, SyntaxError) as error:
        why = f"its source cannot be read ({error})"
        raise _refusal(cls, cls.__name__, why, "write it into a .py file, and import it from there") from error


def _root(module: str | None) -> str:
    return (module or "").split(".", maxsplit=1)[0]


def _refusal(cls: type, name: str, why: str, cure: str) -> ExportError:
    what = "it" if name == cls.__name__ else f"{name!r}, which it needs,"
    return ExportError(
        f"the class {cls.__qualname__!r} cannot be copied into model.py: {what} cannot be: {why}; {cure}"
    )
