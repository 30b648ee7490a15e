"""The file of a module that defines a class of one's own, taken apart into its statements at the top level.

Says which statements bind a name, and gives their text. Runs nothing; what may be copied is decided in `own_class`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import ModuleType

from netwright.export.names import bound_names


class OwnModule:
    """A loaded module and its source.

    Args:
        module: as loaded.
        text: of its file, which `ast` can parse.
    """

    def __init__(self, module: ModuleType, text: str) -> None:
        self.module = module
        self.name = module.__name__
        self.statements: list[tuple[list[str], ast.stmt]] = []
        self.bindings: dict[str, list[ast.stmt]] = {}
        self.stars: list[str] = []
        self._lines = text.split("\n")  # not splitlines(), which knows more ends of a line than Python's grammar
        for node in _flattened(ast.parse(text)):
            names = sorted(bound_names(node))
            self.statements.append((names, node))
            for name in names:
                self.bindings.setdefault(name, []).append(node)
            if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
                self.stars.append("." * node.level + (node.module or ""))

    def now(self, name: str) -> object:
        """What a name means in the module now; None where it means nothing."""
        return vars(self.module).get(name)

    def segment(self, node: ast.stmt) -> str:
        """The text of a statement with its decorators and the comment lines right above it."""
        decorators = getattr(node, "decorator_list", [])
        start = min([node.lineno, *(d.lineno for d in decorators)]) - 1
        end = node.end_lineno or node.lineno
        after = self._lines[end - 1].encode()[node.end_col_offset or 0 :].strip()
        if node.col_offset or (after and not after.startswith(b"#")):
            return ast.unparse(node)  # it shares a line with another statement, or is indented
        while start > 0 and self._lines[start - 1].startswith("#"):
            start -= 1
        lines = self._lines[start:end]
        tidy = "\n".join(line.rstrip() for line in lines)
        as_it_is = "\n".join(lines)
        same = ast.dump(ast.parse(tidy)) == ast.dump(ast.parse(as_it_is))
        return tidy if same else as_it_is  # spaces at the end of a line count inside a string


def _flattened(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements at the top level, and those for type checkers alone."""
    for node in tree.body:
        guarded = isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        if guarded and isinstance(node, ast.If) and not node.orelse:
            yield from node.body
        else:
            yield node
