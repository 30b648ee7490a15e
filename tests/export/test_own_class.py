"""Copying classes of one's own: all they need comes along, and what cannot come is named."""

from __future__ import annotations

import ast
import importlib
import sys
import types
from pathlib import Path

import export_own_layers as own_layers
import pytest
import torch
from export_networks import Info, head

from netwright import nn
from netwright.errors import ExportError
from netwright.export import model_source
from netwright.export.own_class import copy_classes


def run(text: str, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module = types.ModuleType("copied")
    monkeypatch.setitem(sys.modules, "copied", module)
    exec(compile(f"from __future__ import annotations\n{text}", "copied", "exec"), vars(module))
    return module


def write_module(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> object:
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module(name)


def test_helpers_constants_bases_and_imports_come_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copied class gives what the original gives, in a module that has nothing but the copy."""
    copied = copy_classes([own_layers.OwnBlock])
    module = run("\n".join([*copied.imports, *(text for _, text in copied.definitions)]), monkeypatch)
    torch.manual_seed(0)
    original = own_layers.OwnBlock(3)
    copy = module.OwnBlock(3)
    copy.load_state_dict(original.state_dict())
    x = torch.randn(2, 1, 5, 5)
    assert torch.equal(original(x), copy(x))


def test_only_what_is_needed_comes_along_in_order() -> None:
    """Names the class does not need, even if local ones are called alike, stay where they are."""
    copied = copy_classes([own_layers.OwnBlock])
    expected = ["SLOPE", "HALF_SLOPE", "leaky", "scaled", "Sizes", "Base", "OwnBlock"]
    assert expected == [name for name, _ in copied.definitions]
    assert copied.definitions[0][1] == "# Slope of the negative part.\nSLOPE = 0.125"
    assert copied.imports == (
        "from collections.abc import Sequence",
        "from dataclasses import dataclass",
        "from torch import Tensor",
        "from torch import nn",
        "from torch.nn import functional as F",
        "import math",
        "import numpy as np",
        "import torch",
    )


def test_two_classes_of_one_module_share_their_helpers() -> None:
    """What two classes need is copied once."""
    copied = copy_classes([own_layers.OwnBlock, own_layers.Base])
    assert sorted(name for name, _ in copied.definitions).count("leaky") == 1


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (own_layers.NeedsObject, r"'NeedsObject' cannot be copied.*'MADE_AT_IMPORT'.*nn.ReLU\(\).*pass it as an arg"),
        (own_layers.NeedsChanged, r"'CHANGED'.*changed after the import, from '\[1, 2\]' to '\[1, 2, 3\]'"),
        (own_layers.NeedsLambda, r"'twice'.*is a lambda; write it as a function with def"),
        (own_layers.NeedsTry, r"'root'.*binds it by 'try'"),
        (own_layers.NeedsNothing, r"'never_defined'.*does not bind it"),
        (own_layers.Outer.Inner, r"'Outer.Inner'.*inside a function or another class.*top level of a module"),
        (own_layers.local_class(2.0), r"'local_class.<locals>.Local'.*top level of a module"),
        (own_layers.Dynamic, r"'Dynamic'.*does not define it by a class statement"),
    ],
)
def test_what_cannot_be_copied_is_named_with_its_cure(cls: type, message: str) -> None:
    """Each refusal names the class, the name, the reason and what to do."""
    with pytest.raises(ExportError, match=message):
        copy_classes([cls])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("from .sibling import helper", "'helper'.*is a relative import; move it into layers"),
        ("from yaml import safe_load as helper", "'helper'.*comes from 'yaml'.*torch, numpy and the standard library"),
        ("from math import *", r"'helper'.*may come from 'from math import \*'"),
    ],
)
def test_imports_from_elsewhere_are_refused(
    line: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative import, another package and a star import are refused by name."""
    package = tmp_path / "own_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "sibling.py").write_text("def helper(x):\n    return x\n")
    (package / "layers.py").write_text(
        f"{line}\nfrom torch import nn\n\nclass Own(nn.Module):\n    def forward(self, x):\n        return helper(x)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("own_package", "own_package.layers", "own_package.sibling"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    module = importlib.import_module("own_package.layers")
    with pytest.raises(ExportError, match=message.replace("into layers", "into own_package.layers")):
        copy_classes([module.Own])


def test_a_class_typed_at_a_prompt_is_refused() -> None:
    """A class without a source file is refused, with the advice to write one."""
    names: dict[str, object] = {"__name__": "nowhere_module"}
    exec("from torch import nn\nclass Typed(nn.Module):\n    pass", names)
    with pytest.raises(ExportError, match=r"'Typed'.*source cannot be read.*into a \.py file"):
        copy_classes([names["Typed"]])  # type: ignore[list-item]


def test_two_modules_with_different_helpers_of_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Helpers of one name that differ are refused, equal ones shared."""
    text = (
        "from torch import nn\nFACTOR = {}\nclass {}(nn.Module):\n    def forward(self, x):\n        return x * FACTOR"
    )
    one = write_module(tmp_path, "own_one", text.format("2.0", "One"), monkeypatch)
    two = write_module(tmp_path, "own_two", text.format("3.0", "Two"), monkeypatch)
    same = write_module(tmp_path, "own_same", text.format("2.0", "Same"), monkeypatch)
    assert [n for n, _ in copy_classes([one.One, same.Same]).definitions] == ["FACTOR", "One", "Same"]  # type: ignore[attr-defined]
    with pytest.raises(ExportError, match=r"'FACTOR'.*different definition.*rename one"):
        copy_classes([one.One, two.Two])  # type: ignore[attr-defined]


def test_a_name_that_model_py_has_itself_is_refused() -> None:
    """A helper called as a function of model.py is refused, not overwritten."""
    with pytest.raises(ExportError, match="'load' would be defined 2 times; rename it"):
        model_source(head(nn.op(own_layers.NeedsLoad)), Info())


def test_an_own_class_stands_in_the_model_and_nothing_is_imported_from_its_module() -> None:
    """model.py defines the class, and imports torch, numpy (which the class uses) and the standard library alone."""
    tree = ast.parse(model_source(head(nn.op(own_layers.OwnBlock, channels=6)), Info()))
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assert {"OwnBlock", "Base", "Sizes"} <= classes
    roots = {a.name.split(".")[0] for n in tree.body if isinstance(n, ast.Import) for a in n.names}
    roots |= {str(n.module).split(".")[0] for n in tree.body if isinstance(n, ast.ImportFrom)}
    assert roots - set(sys.stdlib_module_names) == {"torch", "numpy"}
