"""Which names a statement binds, and which it needs from around it; found by the compiler's own symbol tables."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator


def bound_names(node: ast.stmt) -> set[str]:
    """Names a top-level statement binds in its module, by nested statements too.

    Example:
        >>> sorted(bound_names(ast.parse("if a: import b.c, d as e; f = 1").body[0]))
        ['b', 'e', 'f']
    """
    table = _table(node)
    return {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()} - {"*"}


def needed_names(node: ast.stmt) -> set[str]:
    r"""Names of the module or of builtins that running a statement, and what it defines, refers to.

    Annotations do not count: the exported module does not evaluate them.

    Example:
        >>> sorted(needed_names(ast.parse("def f(x: T, y=A):\n    return [g(x, i) for i in y] + B").body[0]))
        ['A', 'B', 'g']
    """
    table = _table(_without_annotations(node))
    own = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}
    return {name for name in _globals(table) if name not in own}


def class_body_names(node: ast.stmt) -> set[str]:
    """Names that class bodies bind and read: where they are read first, the module's are meant.

    Example:
        >>> sorted(class_body_names(ast.parse("class A: SLOPE = SLOPE; other = 1").body[0]))
        ['SLOPE']
    """
    return set(_read_and_bound_in_classes(_table(_without_annotations(node))))


def annotation_names(node: ast.stmt) -> set[str]:
    """Names used in annotations, also in those written as strings.

    Example:
        >>> sorted(annotation_names(ast.parse("def f(x: list[T], y: 'V') -> U: ...").body[0]))
        ['T', 'U', 'V', 'list']
    """
    found: set[str] = set()
    for part in ast.walk(node):
        for annotation in (getattr(part, "annotation", None), getattr(part, "returns", None)):
            if isinstance(annotation, ast.expr):
                found |= {name for inner in ast.walk(annotation) for name in _names_of(inner)}
    return found


def _names_of(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Name):
        return {node.id}
    if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        return set()
    try:
        return {n.id for n in ast.walk(ast.parse(node.value, mode="eval")) if isinstance(n, ast.Name)}
    except SyntaxError:
        return set()  # text that is no expression names nothing


class _Stripper(ast.NodeTransformer):
    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(node.arg)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        value = ast.Constant(None) if node.value is None else self.visit(node.value)
        return ast.Assign(targets=[node.target], value=value)


def _without_annotations(node: ast.stmt) -> ast.stmt:
    copy = ast.parse(ast.unparse(node)).body[0]
    stripped = _Stripper().visit(copy)
    assert isinstance(stripped, ast.stmt)
    return ast.fix_missing_locations(stripped)


def _table(node: ast.stmt) -> symtable.SymbolTable:
    return symtable.symtable(ast.unparse(node), "<copied>", "exec")


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    """Names a table and those inside it take from the module."""
    top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if (symbol.is_referenced() and (top or symbol.is_global())) or symbol.is_declared_global():
            yield symbol.get_name()
    for child in table.get_children():
        yield from _globals(child)


def _read_and_bound_in_classes(table: symtable.SymbolTable) -> Iterator[str]:
    if table.get_type() == "class":
        yield from (s.get_name() for s in table.get_symbols() if s.is_referenced() and s.is_assigned())
    for child in table.get_children():
        yield from _read_and_bound_in_classes(child)
