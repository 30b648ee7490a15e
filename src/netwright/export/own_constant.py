"""Which values at the top level of a module can be written again elsewhere and mean the same.

Literals, arithmetic on names, and calls known to give the same value anywhere; and what tells that a value is no
longer what the file says. Knows nothing of classes; runs nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from netwright.export.own_module import OwnModule

PURE_CALLS = frozenset(
    {
        *("bool", "dict", "float", "frozenset", "int", "len", "list", "max", "min", "range", "round", "set", "sorted"),
        *("str", "sum", "tuple", "zip", "collections", "Counter", "OrderedDict", "defaultdict", "namedtuple"),
        *("functools", "partial", "logging", "math", "operator", "re", "typing", "NewType", "ParamSpec", "TypeVar"),
    }
)
"""Roots of the calls allowed in a copied constant: they give the same value wherever they run."""

PURE_TORCH = frozenset({"torch.Size", "torch.device", "torch.finfo", "torch.iinfo"})
"""The same of torch, whose other calls make tensors and modules."""

_ALLOWED = (
    ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple, ast.List, ast.Set, ast.Dict,
    ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Starred, ast.keyword, ast.JoinedStr,
    ast.FormattedValue, ast.ListComp, ast.SetComp, ast.DictComp, ast.comprehension,
    ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context,
)  # fmt: skip


def is_constant(value: ast.expr, home: OwnModule) -> bool:
    """Whether an expression gives the same value anywhere: literals, names, arithmetic, and calls known to be pure."""
    for node in ast.walk(value):
        if isinstance(node, ast.Call):
            root = root_of(node.func)
            pure = root in PURE_CALLS or ast.unparse(node.func) in PURE_TORCH
            if not pure or not _is_imported(root, home):
                return False
        elif not isinstance(node, _ALLOWED):
            return False
    return True


def _is_imported(name: str, home: OwnModule) -> bool:
    """Whether a name means what the standard library calls so: the module does not define it otherwise."""
    return all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in home.bindings.get(name, []))


def changed_literal(name: str, node: ast.Assign | ast.AnnAssign, home: OwnModule) -> tuple[object, object] | None:
    """The literal that the file gives a name and what the name means now, where the two differ."""
    written = _written(name, node)
    if written is None or len(home.bindings[name]) > 1:
        return None  # arithmetic on other names, which are checked where they are literals; or the last of several
    now = home.now(name)
    return None if (type(now), now) == (type(written[0]), written[0]) else (written[0], now)


def _written(name: str, node: ast.Assign | ast.AnnAssign) -> tuple[object] | None:
    """The literal assigned to a name, alone in a tuple; None if it is none, or unpacked in a way not followed."""
    try:
        value = ast.literal_eval(node.value or ast.Name("absent"))
    except ValueError:
        return None
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        if isinstance(target, ast.Name) and target.id == name:
            return (value,)
        if isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, (tuple, list)):
            names = [part.id if isinstance(part, ast.Name) else "" for part in target.elts]
            if name in names and len(names) == len(value):
                return (value[names.index(name)],)
    return None


def changes_to(names: Collection[str], node: ast.stmt) -> Iterator[tuple[str, int]]:
    """Those of some names whose objects a statement changes when it is run, with the line: not by binding the name.

    Found are assignments to and deletions of attributes and items, calls of methods (``TABLE.update(...)``,
    ``@act.register``), ``setattr`` and ``delattr``, in the statement itself and in loops and branches at its level.

    Example:
        >>> list(changes_to({"A", "B"}, ast.parse("for k in range(3): A[k] = B.get(k)").body[0]))
        [('A', 1)]
    """
    if _is_main_guard(node):
        return
    for root in _changed_roots(node):
        if root in names:
            yield root, node.lineno
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        for inner in ast.iter_child_nodes(node):
            for statement in inner.body if isinstance(inner, (ast.ExceptHandler, ast.match_case)) else [inner]:
                if isinstance(statement, ast.stmt):
                    yield from changes_to(names, statement)


def _changed_roots(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield from map(_owner_of_method, node.decorator_list)
    elif isinstance(node, (ast.Assign, ast.Delete)):
        yield from (root_of(t) for t in node.targets if isinstance(t, (ast.Attribute, ast.Subscript)))
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign)) and isinstance(node.target, (ast.Attribute, ast.Subscript)):
        yield root_of(node.target)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        called = node.value
        if isinstance(called.func, ast.Name) and called.func.id in ("setattr", "delattr"):
            yield from map(root_of, called.args[:1])
        else:
            yield _owner_of_method(called.func)


def _owner_of_method(called: ast.expr) -> str:
    """The ``a`` of ``a.b`` and ``a.b(c)``; empty for a plain function."""
    while isinstance(called, ast.Call):
        called = called.func
    return root_of(called) if isinstance(called, ast.Attribute) else ""


def _is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("__name__ == '__main__'", "'__main__' == __name__")


def root_of(node: ast.expr) -> str:
    """The name an expression starts with: ``a`` of ``a.b[0](c).d``; empty if it starts with none."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
