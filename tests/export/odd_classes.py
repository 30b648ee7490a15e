"""Modules with a class ``Own`` that needs its module in odd ways, as people write them.

Those of `COPIED` can be exported; those of `REFUSED` cannot, each with what the error says.
"""

from __future__ import annotations

COPIED: dict[str, str] = {
    "dataclass_fields": """\
from dataclasses import dataclass, field
from typing import ClassVar
import torch
from torch import nn
DEFAULT = (2, 3)
def widths(): return list(DEFAULT)
@dataclass
class Sizes:
    inner: "int"
    many: list = field(default_factory=widths)
    kind: "ClassVar[str]" = "plain"
    def total(self): return self.inner + sum(self.many)
class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = Sizes(4).total()
    def forward(self, x): return x * self.scale
""",
    "partial": """\
import functools
from functools import partial
import torch
from torch import nn
norm = partial(nn.BatchNorm2d, eps=0.125)
def act(x, slope): return torch.where(x > 0, x, x * slope)
act3 = functools.partial(act, slope=0.375)
class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.n = norm(1)
    def forward(self, x): return act3(self.n(x))
""",
    "nested_function": """\
import math
from torch import nn
FACTOR = 1.5
def make(power):
    def inner(x):
        def deepest(y): return y * FACTOR ** power
        return deepest(x) + math.pi
    return inner
class Own(nn.Module):
    def forward(self, x):
        local = make(2)
        return local(x)
""",
    "class_attribute": """\
from torch import nn
SLOPE = 0.25
LIMITS = (SLOPE, SLOPE * 4)
class Own(nn.Module):
    SLOPE = SLOPE * 2
    limits = LIMITS
    both = [SLOPE, *limits]
    def forward(self, x): return x * self.SLOPE + self.limits[1] + sum(self.both)
""",
    "type_alias": """\
from typing import Callable, Optional, Union, cast
import torch
from torch import nn
Pair = tuple[int, int]
Size = Union[int, Pair]
Act = Optional[Callable[[torch.Tensor], torch.Tensor]]
Tensor = torch.Tensor
class Own(nn.Module):
    def __init__(self, size: Size = 3, act: Act = None) -> None:
        super().__init__()
        self.size: Pair = cast(Pair, (size, size))
    def forward(self, x: Tensor) -> Tensor: return x * self.size[0]
""",
    "property": """\
from torch import nn
GAIN = 3.0
class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self._gain = 1.0
    @property
    def gain(self): return self._gain * GAIN
    @gain.setter
    def gain(self, value): self._gain = value + GAIN
    def forward(self, x):
        self.gain = 0.5
        return x * self.gain
""",
    "super_chain": """\
import abc
import torch
from torch import nn
class Mixin:
    def shift(self, x): return x + 1
class Grand(nn.Module, abc.ABC):
    def forward(self, x): return self.core(x) * 2
    @abc.abstractmethod
    def core(self, x): ...
class Parent(Mixin, Grand):
    def forward(self, x): return super().forward(self.shift(x)) + 3
    def core(self, x): return x
class Own(Parent):
    def forward(self, x): return super(Own, self).forward(x) / 7
    def core(self, x): return super().core(x) + len(__class__.__mro__)
""",
    "overload": """\
from typing import overload
from torch import nn
@overload
def f(x: int) -> int: ...
@overload
def f(x: str) -> str: ...
def f(x): return x * 3
class Own(nn.Module):
    def forward(self, x): return f(x)
""",
    "dotted_imports": """\
import torch
import torch.nn
import torch.nn.functional
import torch.utils.checkpoint
import xml.dom.minidom
import xml.etree.ElementTree
class Own(torch.nn.Module):
    def forward(self, x):
        assert xml.etree.ElementTree and xml.dom.minidom
        return torch.utils.checkpoint.checkpoint(torch.nn.functional.relu, x, use_reentrant=False)
""",
    "swapped_names": """\
from math import sin as cos, cos as sin
from torch import nn
class Own(nn.Module):
    def forward(self, x): return x * sin(1.0) + 10 * cos(1.0)
""",
    "tuple_unpack": """\
from torch import nn
A, B = 2, 3
C = D = 5
class Own(nn.Module):
    def forward(self, x): return x * A + B + C + D
""",
    "semicolons": """\
from torch import nn
A = 2; B = object(); C = 3
class Own(nn.Module):
    def forward(self, x): return x * A + C
""",
    "odd_line_ends": (
        'from torch import nn\nTEXT = "a\u2028b\x0cc"\n\x0c\nLONG = """x   \ny\t\n"""\n'
        "class Own(nn.Module):\n    def forward(self, x): return x * len(TEXT) + len(LONG)\n"
    ),
    "enum_and_namedtuple": """\
import enum
from collections import namedtuple
from typing import NamedTuple
from torch import nn
class Mode(enum.Enum):
    A = 2
    B = enum.auto()
P = namedtuple("P", "a b")
class Q(NamedTuple):
    c: int
    d: float = 0.5
class Own(nn.Module):
    def forward(self, x): return x * Mode.B.value + P(1, 2).b + Q(3).d
""",
    "decorators": """\
import functools
import torch
from torch import nn
def times(n):
    def wrap(f):
        @functools.wraps(f)
        def run(self, x):
            for _ in range(n): x = f(self, x)
            return x
        return run
    return wrap
def named(cls):
    cls.extra = 0.5
    return cls
@functools.lru_cache(maxsize=None)
def slow(n): return n + 1
@named
class Own(nn.Module):
    @times(3)
    def forward(self, x): return x * 1.5 + self.extra + slow(2)
    @staticmethod
    def a(): return 1
    @classmethod
    def b(cls): return cls()
""",
    "global_counter": """\
from torch import nn
COUNT = 0
class Own(nn.Module):
    def forward(self, x):
        global COUNT
        return x + COUNT
""",
    "comprehension_constants": """\
import logging, re, torch
from torch import nn
SIZES = [2 ** i for i in range(4)]
NAMES = {f"n{i}": i for i in SIZES}
log = logging.getLogger(__name__)
WORD = re.compile("a+")
EPS = torch.finfo(torch.float32).eps
class Own(nn.Module):
    def forward(self, x):
        log.debug("x"); assert WORD.match("aa")
        return x * sum(SIZES) + NAMES["n8"] + EPS
""",
    "module_getattr_ok_main_guard": '''\
from torch import nn
class Own(nn.Module):
    """Doc."""
    def forward(self, x): return x * 2
def show(): print(Own().forward(1))
net = Own()
if __name__ == "__main__":
    Own.gain = 3
    show()
''',
    "metaclass_init_subclass": """\
from torch import nn
class Meta(type):
    def __new__(mcs, name, bases, space, **kw): return super().__new__(mcs, name, bases, {**space, "gain": 4.0}, **kw)
    def __init__(cls, name, bases, space, **kw): super().__init__(name, bases, space)
class Base(nn.Module, metaclass=Meta):
    def __init_subclass__(cls, shift=0.0, **kw):
        super().__init_subclass__(**kw)
        cls.shift = shift
class Own(Base, shift=2.5):
    def forward(self, x): return x * self.gain + self.shift
""",
}

REFUSED: dict[str, tuple[str, str]] = {
    "star": (
        r"'sqrt'.*import \*",
        """\
from math import *
from torch import nn
class Own(nn.Module):
    def forward(self, x): return x * sqrt(2.0)
""",
    ),
    "star_hides_builtin": (
        r"'pow'.*import \*",
        """\
from math import *
from torch import nn
class Own(nn.Module):
    def forward(self, x): return x * pow(2, 3)
""",
    ),
    "conditional_import": (
        r"'fast'.*'try'",
        """\
from torch import nn
try:
    from numpy import sqrt as fast
except ImportError:
    from math import sqrt as fast
class Own(nn.Module):
    def forward(self, x): return x * float(fast(2.0))
""",
    ),
    "module_lambda": (
        r"'twice'.*lambda",
        """\
from torch import nn
twice = lambda x: 2 * x
class Own(nn.Module):
    def forward(self, x): return twice(x)
""",
    ),
    "table_filled_later": (
        r"'TABLE'.*line 4",
        """\
from torch import nn
import torch.nn.functional as F
TABLE = {"relu": F.relu}
TABLE["gelu"] = F.gelu
class Own(nn.Module):
    def forward(self, x): return TABLE["gelu"](x)
""",
    ),
    "singledispatch": (
        r"'act'.*line 6",
        """\
from functools import singledispatch
from torch import nn, Tensor
@singledispatch
def act(x): return 0
@act.register
def _(x: Tensor): return x * 2
class Own(nn.Module):
    def forward(self, x): return act(x)
""",
    ),
    "attribute_set_later": (
        r"line 4",
        """\
from torch import nn
class Own(nn.Module):
    def forward(self, x): return x * self.gain
setattr(Own, "gain", 3.0)
""",
    ),
    "replaced_function": (
        r"'helper'.*not what the file says",
        """\
from torch import nn
def helper(x): return x
class Own(nn.Module):
    def forward(self, x): return helper(x)
globals()["helper"] = abs
""",
    ),
    "file": (
        r"'__file__'.*another one",
        """\
from pathlib import Path
from torch import nn
class Own(nn.Module):
    def forward(self, x): return x * len(Path(__file__).name)
""",
    ),
    "globals": (
        r"'globals'.*cannot be followed",
        """\
from torch import nn
def helper(x): return x * 5
class Own(nn.Module):
    def forward(self, x): return globals()["helper"](x)
""",
    ),
    "inner_import": (
        r"'safe_load'.*'yaml'",
        """\
from torch import nn
class Own(nn.Module):
    def forward(self, x):
        from yaml import safe_load
        return x * safe_load("3")
""",
    ),
    "relative_inner": (
        r"relative import",
        """\
from torch import nn
class Own(nn.Module):
    def forward(self, x):
        from .other import thing
        return x
""",
    ),
    "base_elsewhere": (
        r"'Base'.*another_module",
        """\
from another_module import Base
class Own(Base):
    pass
""",
    ),
    "type_checking_else": (
        r"'Kind'.*'if'",
        """\
from typing import TYPE_CHECKING
from torch import nn
if TYPE_CHECKING:
    from typing import Any as Kind
else:
    Kind = float
class Own(nn.Module):
    def forward(self, x): return x * Kind("2")
""",
    ),
    "shadowed_pure": (
        r"'K'.*object made at import",
        """\
from torch import nn
def partial(x): return [x]
K = partial(2)
class Own(nn.Module):
    def forward(self, x): return x * K[0]
""",
    ),
    "two_imports": (
        r"'root'.*elsewhere",
        """\
from math import sqrt as root
from numpy import sqrt as root
from torch import nn
class Own(nn.Module):
    def forward(self, x): return x * float(root(2.0))
""",
    ),
    "walrus": (
        r"'N'.*'expr'",
        """\
from torch import nn
(N := 3)
class Own(nn.Module):
    def forward(self, x): return x * N
""",
    ),
}
