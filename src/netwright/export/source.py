"""The text of an exported ``model.py``: the generated network, the classes of one's own, and what runs them.

The parts are put together as text and checked as a syntax tree: nothing but torch, numpy (where a class of one's own
needs it) and the standard library is imported, and no name means two things. Runs nothing.
"""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

from netwright.errors import ExportError
from netwright.export.info import check_info
from netwright.export.names import annotation_names, bound_names
from netwright.export.own_class import PACKAGES, Copied, add_import, copy_classes
from netwright.export.runtimes import RUNTIMES
from netwright.space.terms import CellTerm, OpTerm, Term
from netwright.tasks.base import ExportInfo
from netwright.types import Value

WIDTH = 120
_OPTIONAL = frozenset(package for runtime in RUNTIMES.values() for package in runtime.packages)
_MARK = "# ----------------------------------------------------------------"


def model_source(term: Term, info: ExportInfo) -> str:
    """Write ``model.py``.

    Args:
        term: the network, normalisation included: its input is stored values divided by ``info.scale``.
        info: of the task.

    Returns:
        Formatted source that imports torch alone: ``build()``, ``load(folder)``, and what the runtime
        adds (``main(arguments)``).

    Raises:
        ExportError: a class of one's own cannot be copied, or two parts define one name.
    """
    from netwright import nn

    check_info(info)
    copied = copy_classes(own_classes(term))
    pasted = nn.OwnCode(copied.imports, "\n\n".join(_spaced(copied)).lstrip("\n"))
    network = nn.source(term, input_shape=info.input_shape, input_dtype=info.input_dtype, own_code=lambda _: pasted)
    return assemble(network, copied, info)


def own_classes(term: Term) -> list[type]:
    """Classes of one's own in a term, each once, in the order in which they appear."""
    found = [inner.target for inner in _walk(term) if isinstance(inner, OpTerm) and inner.target is not None]
    return list(dict.fromkeys(found))


def assemble(network: str, copied: Copied, info: ExportInfo) -> str:
    """Put generated source and the runtime together.

    Args:
        network: module that defines ``build``, with the copied classes in it.
        copied: what in it was copied, for messages.
        info: of the task.
    """
    generated, runtime = _split(network), _split(_runtime(info.runtime))
    body = "\n\n\n".join([_constants(info), generated.body, runtime.body])
    imports = _merge_imports(generated, runtime, ast.parse(body))
    _check(body, imports, copied)
    parts = [_docstring(info), "from __future__ import annotations", "\n".join(imports), body]
    return "\n\n".join(parts).rstrip("\n") + "\n"


@dataclass(frozen=True)
class _Parts:
    """Imports, each with the name it binds, and the text that follows them."""

    imports: tuple[tuple[str, str], ...]
    body: str


def _split(text: str) -> _Parts:
    """Take a module apart: docstring dropped, imports at its start, and the rest with its comments."""
    tree = ast.parse(text)
    imports: list[tuple[str, str]] = []
    end = 0
    for node in tree.body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            end = node.end_lineno or 0
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            end = node.end_lineno or 0
            imports.extend(_import_lines(node))
        else:
            break
    return _Parts(tuple(imports), "\n".join(text.split("\n")[end:]).strip("\n"))


def _import_lines(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    for alias in node.names:
        renamed = f" as {alias.asname}" if alias.asname else ""
        if isinstance(node, ast.Import):
            yield alias.asname or alias.name.split(".", maxsplit=1)[0], f"import {alias.name}{renamed}"
        elif node.module != "__future__":
            yield alias.asname or alias.name, f"from {node.module} import {alias.name}{renamed}"


def _merge_imports(generated: _Parts, runtime: _Parts, body: ast.Module) -> list[str]:
    """The imports whose names are used, each once: standard library, then torch, sorted."""
    used = {node.id for node in ast.walk(body) if isinstance(node, ast.Name)}
    used |= {name for node in body.body for name in annotation_names(node)}
    lines: dict[str, list[str]] = {}
    for name, line in (*generated.imports, *runtime.imports):
        if name in used and not add_import(lines.setdefault(name, []), line):
            raise ExportError(
                f"model.py cannot be written: {name!r} would mean both {lines[name][0]!r} and {line!r}; "
                "import it under another name in the module of your class"
            )
    return _sorted_imports({line for several in lines.values() for line in several})


def _sorted_imports(lines: set[str]) -> list[str]:
    """Names from one module on one line; the standard library first, ``import`` before ``from``, each sorted."""
    names: dict[str, list[str]] = {}
    for line in lines:
        module, _, name = line.partition(" import ")
        names.setdefault(module, []).extend([name] if name else [])
    joined = sorted(f"{m} import {', '.join(sorted(n, key=_import_order))}" if n else m for m, n in names.items())
    joined.sort(key=lambda line: (line.startswith("from"), line.lower()))
    outside = [line for line in joined if line.split(maxsplit=2)[1].split(".", maxsplit=1)[0] in ("torch", "numpy")]
    inside = [line for line in joined if line not in outside]
    return [*inside, *([""] if inside and outside else []), *outside]


def _import_order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest, as sorters of imports have it."""
    bare = name.split(maxsplit=1)[0]
    return (0 if bare.isupper() and len(bare) > 1 else 1 if bare[:1].isupper() else 2), name


def _check(body: str, imports: list[str], copied: Copied) -> None:
    """Refuse source that imports more than it may, or binds a name twice."""
    imported, module = ast.parse("\n".join(imports)), ast.parse(body)
    own = _times_bound(ast.parse("\n".join(text for _, text in copied.definitions)))
    times = _times_bound(module) + Counter(set(_times_bound(imported)))  # import torch, torch.utils bind one name
    for name, count in times.items():
        if count > max(1, own[name]):
            cure = "rename it in the module of your class" if own[name] else "this is a bug of netwright"
            raise ExportError(f"model.py cannot be written: {name!r} would be defined {count} times; {cure}")
    for node in (*imported.body, *ast.walk(module)):
        for package in _imported(node):
            if package.split(".", maxsplit=1)[0] not in PACKAGES | _OPTIONAL:
                raise ExportError(f"model.py cannot be written: it would import {package!r}; move it into your module")


def _times_bound(module: ast.Module) -> Counter[str]:
    return Counter(name for node in module.body for name in bound_names(node))


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return ["." * node.level + (node.module or "")] if isinstance(node, ast.ImportFrom) else []


def _runtime(name: str) -> str:
    """The imports and the copied parts of runtime.py, and of the file of a runtime."""
    imports, (common, printing, images, _) = _parts_of("runtime.py")
    if not name:
        return "\n\n\n".join([imports, common])
    runtime = RUNTIMES[name]
    files = [_parts_of(f"../{file}") for file in runtime.also] + [_parts_of(runtime.file)]
    heads = "\n".join([imports, *(head for head, _ in files)])
    shared = [common, printing, images] if runtime.reads_images else [common, printing]
    return "\n\n\n".join([heads, *shared, *(copied[-1] for _, copied in files)])


def _parts_of(file: str) -> tuple[str, list[str]]:
    """The imports of a runtime's file, without those of netwright, and its copied parts."""
    package = "netwright.export"
    if file.startswith("../"):
        package, file = "netwright", file.removeprefix("../")
    text = resources.files(package).joinpath(file).read_text(encoding="utf-8")
    head, *parts = text.split(_MARK)
    nodes = [node for node in ast.parse(head).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    outside = [n for n in nodes if not (isinstance(n, ast.ImportFrom) and (n.module or "").startswith("netwright"))]
    copied = [part.split("\n", maxsplit=1)[1].strip("\n") for part in parts]
    return "\n".join(map(ast.unparse, outside)), copied


def _spaced(copied: Copied) -> Iterator[str]:
    """Copied statements with the empty lines that belong between them."""
    before_class = False
    for _, text in copied.definitions:
        is_block = (
            text.lstrip("@# ").startswith(("class ", "def ", "async def ")) or "\nclass " in text or "\ndef " in text
        )
        yield ("\n" if is_block or before_class else "") + text
        before_class = is_block


def _constants(info: ExportInfo) -> str:
    lines = [assignment("TASK", info.task), assignment("INPUT_SHAPE", tuple(info.input_shape))]
    lines.append(assignment("CLASS_NAMES", tuple(info.class_names)))
    if info.runtime == "array":
        lines.append(assignment("TOKENS", info.input_dtype == "int64"))
    lines += [assignment(name, value) for name, value in info.constants.items()]
    if info.runtime and RUNTIMES[info.runtime].reads_images:
        lines += [
            assignment("SCALE", float(info.scale)),
            assignment("VALUE_RANGE", tuple(map(float, info.value_range))),
        ]
    return "\n".join(lines)


def assignment(name: str, value: Value) -> str:
    """One formatted assignment of a literal.

    Example:
        >>> print(assignment("NAMES", ("it's", 'a "b"', "c")))
        NAMES = ("it's", 'a "b"', "c")
    """
    return f"{name} = {_spread(value, 0, len(name) + 3)}"


def _spread(value: Value, indent: int, used: int) -> str:
    """A literal on one line if it fits behind what is used of it, else a tuple's items on lines of their own."""
    line = _literal(value)
    if used + len(line) <= WIDTH or not isinstance(value, tuple):
        return line
    inner = " " * (indent + 4)
    items = "".join(f"{inner}{_spread(item, indent + 4, indent + 5)},\n" for item in value)
    return f"(\n{items}{' ' * indent})"


def _literal(value: Value) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_literal, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, str):
        return _string(value)
    assert not isinstance(value, float) or math.isfinite(value)
    return repr(value)


def _string(value: str) -> str:
    """A string literal with double quotes, unless single ones need fewer escapes."""
    body = repr("'" + value + '"')[3:-2].replace("\\'", "'")  # repr escapes single quotes where both kinds occur
    quote = "'" if value.count('"') > value.count("'") else '"'
    return quote + body.replace(quote, "\\" + quote) + quote


def _docstring(info: ExportInfo) -> str:
    usage = f"\n{RUNTIMES[info.runtime].usage}" if info.runtime else ""
    return (
        '"""A trained network, found by netwright; needs torch alone.\n\n'
        "``load()`` gives the network with the weights in weights.safetensors, which lies beside this file."
        f'{usage}\n"""'
    )


def _walk(term: Term) -> Iterator[Term]:
    yield term
    if isinstance(term, CellTerm):
        inner = [
            op for node in term.nodes for op in (*(edge for _, edge in node.edges), *([node.op] if node.op else []))
        ]
    else:
        inner = list(term.children)
    for child in inner:
        yield from _walk(child)
