"""Python, abstractly: each program is executed by Python and interpreted, and `y` must be the same in both."""

from __future__ import annotations

import pytest
from real_values import interpret, same

from trainlint.analysis.values import Seq, Unknown

CLASSES = {
    "attributes and methods": """
class A:
    scale = 3
    def __init__(self, n, extra=2):
        self.n = n + extra
    def double(self):
        return self.n * 2 * self.scale
y = [A(1).double(), A(1, extra=5).n, A.scale]
""",
    "inheritance": """
class A:
    kind = "a"
    def f(self): return 1
    def g(self): return self.f() + 10
class B(A):
    kind = "b"
    def f(self): return 2
y = [A().g(), B().g(), B().kind]
""",
    "super": """
class A:
    def __init__(self, n):
        self.n = n
    def f(self): return [self.n]
class B(A):
    def __init__(self, n):
        super().__init__(n * 2)
        self.m = self.n + 1
    def f(self): return super().f() + [self.m]
y = B(3).f()
""",
    "super of several levels": """
class A:
    def __init__(self): self.seen = ["A"]
class B(A):
    def __init__(self):
        super(B, self).__init__()
        self.seen.append("B")
class C(B): pass
class D(C):
    def __init__(self):
        super().__init__()
        self.seen.append("D")
y = D().seen
""",
    "cooperative mixins": """
class Base:
    def __init__(self, n): self.seen = [n]
    def f(self): return "base"
class Left(Base):
    def __init__(self, n):
        super().__init__(n + 1)
        self.seen.append("left")
    def f(self): return "left " + super().f()
class Right(Base):
    def __init__(self, n):
        super().__init__(n + 10)
        self.seen.append("right")
    def f(self): return "right " + super().f()
class Both(Left, Right):
    def __init__(self, n):
        super().__init__(n)
        self.seen.append("both")
y = [Both(1).seen, Both(1).f()]
""",
    "mixin without a constructor": """
class Loud:
    def name(self): return self.title.upper()
class Net(Loud, nn.Module):
    def __init__(self):
        super().__init__()
        self.title = "net"
        self.fc = nn.Linear(2, 3)
y = [Net().name(), Net()]
""",
    "the base called by its name": """
class A(nn.Module):
    def __init__(self, n):
        nn.Module.__init__(self)
        self.fc = nn.Linear(n, n)
class B(A):
    def __init__(self):
        A.__init__(self, 4)
    def forward(self, x): return self.fc(x)
y = [B(), B()(torch.zeros(2, 4))]
""",
    "call goes to forward": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 7)
    def forward(self, x, *, twice=False):
        x = self.fc(x)
        return self.fc(x[:, :4]) if twice else x
net = Net()
y = [net(torch.zeros(3, 4)), net(torch.zeros(3, 4), twice=True), net.forward(torch.zeros(1, 4))]
""",
    "__call__ of a plain class": """
class Add:
    def __init__(self, n): self.n = n
    def __call__(self, x): return x + self.n
y = Add(4)(5)
""",
    "__getitem__ and __len__ and __iter__": """
class Data:
    def __len__(self): return 7
    def __getitem__(self, i): return (torch.zeros(3, 8), "cat")
data = Data()
y = [len(data), data[0]]
""",
    "properties": """
class A:
    def __init__(self): self._n = 4
    @property
    def n(self): return self._n + 1
    @staticmethod
    def s(x): return x * 2
    @classmethod
    def make(cls):
        made = cls()
        made._n = 10
        return made
y = [A().n, A.s(3), A().s(4), A.make().n]
""",
    "a setter": """
class A:
    def __init__(self): self._n = 4
    @property
    def n(self): return self._n
    @n.setter
    def n(self, value): self._n = value * 2
a = A()
a.n = 8
y = [a.n, a._n]
""",
    "class attributes as configuration": """
class Block(nn.Module):
    expansion = 4
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width * self.expansion, 1)
    def forward(self, x): return self.conv(x)
y = [Block(3)(torch.zeros(1, 3, 5, 5)), Block.expansion]
""",
    "a class in a variable": """
class A(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.fc = nn.Linear(n, 2 * n)
    def forward(self, x): return self.fc(x)
table = {"a": A, "id": nn.Identity}
block = table["a"]
y = [block(3)(torch.zeros(2, 3)), table["id"]()(torch.zeros(2, 3))]
""",
    "methods kept in attributes": """
class A:
    def __init__(self, how):
        self.f = self.plus if how == "plus" else self.minus
    def plus(self, x): return x + 1
    def minus(self, x): return x - 1
y = [A("plus").f(3), A("other").f(3)]
""",
    "an abstract base": """
from abc import ABC, abstractmethod
class Base(nn.Module, ABC):
    def __init__(self):
        super().__init__()
        self.layer = self.build()
    @abstractmethod
    def build(self): ...
    def forward(self, x): return self.layer(x)
class Small(Base):
    def build(self): return nn.Linear(4, 2)
y = [Small(), Small()(torch.zeros(1, 4))]
""",
    "a generic base": """
from typing import Generic, TypeVar
T = TypeVar("T")
class Base(nn.Module, Generic[T]):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)
y = Base()
""",
    "a dataclass as configuration": """
from dataclasses import dataclass, field
@dataclass
class Config:
    width: int = 8
    depth: int = 2
    dims: list = field(default_factory=lambda: [1, 2])
class Net(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(config.width, config.width) for _ in range(config.depth)])
    def forward(self, x):
        for layer in self.layers: x = layer(x)
        return x
config = Config(depth=3)
y = [Net(config), Net(Config(4))(torch.zeros(2, 4)), config.dims, Config(width=9).width]
""",
    "a dataclass that computes fields": """
from dataclasses import dataclass
@dataclass
class Config:
    dim: int
    heads: int = 2
    def __post_init__(self): self.head_dim = self.dim // self.heads
y = Config(64, heads=4).head_dim
""",
    "a dataclass that extends another": """
from dataclasses import dataclass
@dataclass
class A:
    n: int = 1
@dataclass
class B(A):
    m: int = 2
b = B(m=5)
y = [b.n, b.m, B(7, 8).m]
""",
    "a replaced dataclass": """
from dataclasses import dataclass, replace
@dataclass
class A:
    n: int = 1
    m: int = 2
b = replace(A(), m=9)
y = [b.n, b.m]
""",
    "namedtuple": """
from collections import namedtuple
Spec = namedtuple("Spec", ["kernel", "channels", "stride"])
spec = Spec(3, 16, stride=2)
k, c, s = spec
y = [spec.kernel, spec.channels, spec[2], k, c, s, len(spec)]
""",
    "namedtuple from a text": """
import collections
Spec = collections.namedtuple("Spec", "kernel channels")
specs = [Spec(3, 16), Spec(kernel=5, channels=32)]
y = [s.channels for s in specs] + [k for k, _ in specs]
""",
    "namedtuple with defaults": """
from collections import namedtuple
Spec = namedtuple("Spec", "kernel channels", defaults=(7,))
y = [Spec(3).channels, Spec(3)._replace(kernel=9).kernel]
""",
    "typing.NamedTuple": """
from typing import NamedTuple
class Spec(NamedTuple):
    kernel: int
    channels: int = 16
    def area(self): return self.kernel ** 2
spec = Spec(3)
k, c = spec
y = [spec.kernel, spec.channels, spec[0], k, c, spec.area(), len(spec)]
""",
    "an Enum": """
from enum import Enum, IntEnum
class Mode(Enum):
    TRAIN = "train"
    TEST = "test"
class Size(IntEnum):
    SMALL = 4
    LARGE = 8
y = [Mode.TRAIN.value, Mode("test").value, Mode["TRAIN"].value, Size.LARGE + 1, Mode.TRAIN == Mode.TEST,
     Mode.TEST is Mode.TEST, Mode.TRAIN.name, [m.value for m in Mode]]
""",
    "an Enum decides": """
from enum import Enum
class Norm(str, Enum):
    BATCH = "batch"
    LAYER = "layer"
def make(kind):
    if kind == Norm.BATCH: return nn.BatchNorm1d(4)
    elif kind is Norm.LAYER: return nn.LayerNorm(4)
    raise ValueError(kind)
y = [make(Norm.BATCH), make(Norm.LAYER)]
""",
    "an Enum of functions": """
from enum import Enum
class Act(Enum):
    RELU = nn.ReLU
    GELU = nn.GELU
y = nn.Sequential(nn.Linear(2, 2), Act.GELU.value())
""",
    "slots and class counters": """
class A:
    __slots__ = ("n",)
    def __init__(self, n): self.n = n
a = A(3)
a.n += 4
y = a.n
""",
}

FUNCTIONS = {
    "defaults and keywords": """
def f(a, b=2, *, c=3): return [a, b, c]
y = [f(1), f(1, 5), f(1, c=7), f(b=1, a=0)]
""",
    "*args and **kwargs": """
def f(*args, **kwargs): return [list(args), kwargs]
def g(first, *rest, scale=1, **other): return [first, rest, scale, other]
y = [f(1, 2, a=3), g(1, 2, 3, scale=4, deep=5), f(*[1, 2], **{"k": 3})]
""",
    "passing arguments on": """
class Conv(nn.Sequential):
    def __init__(self, *args, norm=True, **kwargs):
        layers = [nn.Conv2d(*args, bias=not norm, **kwargs)]
        if norm: layers.append(nn.BatchNorm2d(args[1]))
        super().__init__(*layers)
y = [Conv(3, 8, 3, padding=1), Conv(3, 8, kernel_size=3, norm=False)(torch.zeros(1, 3, 9, 9))]
""",
    "kwargs are popped": """
def f(**kwargs):
    width = kwargs.pop("width", 4)
    depth = kwargs.get("depth", 1)
    kwargs.setdefault("bias", False)
    return [width, depth, kwargs]
y = [f(), f(width=9, depth=2)]
""",
    "partial": """
from functools import partial
conv = partial(nn.Conv2d, kernel_size=3, padding=1)
norm = partial(nn.LayerNorm, eps=1e-6)
f = partial(lambda a, b, c=0: [a, b, c], 1)
y = [conv(3, 8)(torch.zeros(1, 3, 6, 6)), norm(8), f(2), f(5, c=6), partial(f, 9)()]
""",
    "closures": """
def make(n):
    def f(x): return x * n
    return f
double = make(2)
y = [double(4), (lambda x: make(x)(3))(5)]
""",
    "nonlocal": """
def count():
    n = 0
    def up():
        nonlocal n
        n += 1
        return n
    up()
    return up()
y = count()
""",
    "early returns": """
def pick(kind, n=4):
    if kind is None:
        return nn.Identity()
    if kind == "relu":
        return nn.ReLU()
    if n > 3:
        return nn.Linear(n, n)
    return nn.Dropout(0.5)
y = [pick(None), pick("relu"), pick("other"), pick("other", 2)]
""",
    "recursion": """
def depth(n): return [] if n == 0 else [n] + depth(n - 1)
y = depth(2)
""",
    "decorators that only wrap": """
import functools
def logged(f):
    @functools.wraps(f)
    def inner(*args, **kwargs):
        print("called", f.__name__)
        return f(*args, **kwargs)
    return inner
@logged
def g(n): return n + 1
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 5)
    @logged
    def forward(self, x): return self.fc(x)
@torch.no_grad()
def run(net): return net(torch.zeros(1, 2))
y = [g(3), run(Net())]
""",
    "a registry by decorator": """
MODELS = {}
def register(name):
    def inner(cls):
        MODELS[name] = cls
        return cls
    return inner
@register("small")
class Small(nn.Module):
    def __init__(self, n=3):
        super().__init__()
        self.fc = nn.Linear(4, n)
    def forward(self, x): return self.fc(x)
y = [MODELS["small"](n=6)(torch.zeros(1, 4)), Small]
""",
    "a registry of functions": """
MODELS = {}
def register(f):
    MODELS[f.__name__] = f
    return f
@register
def tiny(n): return nn.Linear(n, 2)
y = [MODELS["tiny"](3), tiny(4)(torch.zeros(1, 4))]
""",
    "generators": """
def sizes(n):
    for i in range(n):
        yield i * 2
y = nn.Sequential(*[nn.Linear(i + 1, i + 3) for i in [0, 2, 4]])
""",
    "several targets": """
def f(): return 1, (2, 3), [4, 5, 6]
a, (b, c), (first, *rest) = f()
d = e = 7
y = [a, b, c, first, rest, d, e]
""",
    "conditional expressions and walrus": """
def f(x): return x if x else 5
if (n := f(0)) > 4:
    y = [n, f(3), None or 4, 0 and 9, not n]
""",
    "annotations do not matter": """
from typing import Optional
def f(a: Optional[int] = None, b: "int" = 3) -> int:
    a: int = a or b
    return a
y = [f(), f(8)]
""",
}

CONTAINERS = {
    "lists": """
xs = [1, 2]
xs.append(3)
xs += [4]
xs.extend((5, 6))
xs.insert(0, 0)
last = xs.pop()
xs[1] = 9
y = [xs, last, xs[-1], xs[1:3], xs[::-1], len(xs), [0] * 3 + xs[:1], 9 in xs, xs.index(9), sum(xs), max(xs), min(1, 2)]
""",
    "del of items": """
xs = [1, 2, 3, 4]
del xs[1]
d = {"a": 1, "b": 2}
del d["a"]
y = [xs, d]
""",
    "del of a slice": """
xs = [1, 2, 3, 4]
del xs[1:3]
y = xs
""",
    "remove and reverse and sort": """
xs = [3, 1, 2]
xs.remove(1)
ys = sorted([3, 1, 2], reverse=True)
xs.reverse()
zs = [2, 1]
zs.sort()
y = [xs, ys, zs, list(reversed([1, 2]))]
""",
    "dicts": """
d = {"a": 1, **{"b": 2}}
d["c"] = 3
d.update(d=4, a=0)
d.update({"e": 5})
gone = d.pop("b")
e = dict(x=1, **d)
y = [d, gone, e["c"], d.get("z", 7), list(d), list(d.values()), [k + str(v) for k, v in d.items()], "a" in d, len(d),
     d | {"a": 8}]
""",
    "dict changed in a loop": """
sizes = {}
for i, name in enumerate(["a", "b"]):
    sizes[name] = i * 2
sizes["a"] += 5
y = sizes
""",
    "OrderedDict": """
from collections import OrderedDict
net = nn.Sequential(OrderedDict([("conv", nn.Conv2d(3, 4, 1)), ("act", nn.ReLU())]))
layers = OrderedDict()
layers["a"] = nn.Linear(2, 3)
layers["b"] = nn.Linear(3, 4)
y = [net, nn.Sequential(layers)(torch.zeros(1, 2))]
""",
    "comprehensions": """
a = [i * 2 for i in range(4) if i % 2]
b = {k: v for k, v in zip("ab", (1, 2))}
c = [(i, j) for i in range(2) for j in range(i + 1)]
d = sum(x for x in a)
e = [row[0] for row in [[1, 2], [3, 4]]]
y = [a, b, c, d, e, [n for n, m in b.items() if m > 1]]
""",
    "constant ranges": """
total, seen = 0, []
for i in range(3, 10, 3):
    total += i
    seen.append((i, total))
while total > 5:
    total //= 2
y = [total, seen]
""",
    "enumerate, zip, reversed, map": """
a = [(i, s) for i, s in enumerate("ab", start=1)]
b = list(zip([1, 2], [3, 4]))
c, d = zip(*b)
e = list(map(lambda x: x + 1, [1, 2]))
f = list(filter(lambda x: x > 1, [1, 2]))
y = [a, b, list(c), d, e, f, list(reversed(range(3))), any([0, 1]), all([1, 0])]
""",
    "break and continue": """
seen = []
for i in range(10):
    if i == 1: continue
    if i == 4: break
    seen.append(i)
else:
    seen.append("end")
for i in range(2): pass
else: seen.append("else")
y = seen
""",
    "texts": """
n = 3
name = f"layer{n}_{'x' * 2}"
y = [name, f"{n + 1}", "{}-{}".format(1, "a"), "%d/%s" % (4, "b"), "a" + str(n), name.upper(), "a.b".split("."),
     "-".join(["x", "y"]), name.startswith("layer"), name[0]]
""",
    "getattr and setattr": """
class A: pass
a = A()
for i in range(2):
    setattr(a, f"n{i}", i + 5)
act = getattr(nn, "ReLU")()
y = [a.n0, getattr(a, "n1"), act, hasattr(a, "n0"), getattr(F, "relu")(torch.zeros(2))]
""",
    "guards": """
def f(x=None, size=3):
    if x is None: x = 5
    if isinstance(size, int): size = (size, size)
    if not isinstance(x, (list, tuple)): x = [x]
    return [x, size]
y = [f(), f([1], (2, 3)), isinstance(nn.ReLU(), nn.Module), isinstance("a", str), callable(f)]
""",
    "match": """
def f(kind):
    match kind:
        case "a": return 1
        case "b" | "c": return 2
        case _: return 3
y = [f("a"), f("a") + 1]
""",
    "arithmetic": """
import math
y = [7 // 2, 7 % 3, 2 ** 5, -7 // 2, 1 / 4, math.ceil(2.1), int(3.9), round(2.5), abs(-3), divmod(7, 2), 1 << 4,
     math.sqrt(16), math.log2(8), int("12"), float("1.5"), bool(0), 3 < 4 <= 5, 1 != 1, max([3, 9]), 5 & 3]
""",
    "sets and tuples": """
s = {1, 2}
t = (1,) + (2, 3)
y = [2 in s, len(s), t, t[1:], t * 2, tuple([1, 2]), 5 not in t]
""",
    "try": """
try:
    n = 1
except ValueError:
    pass
else:
    n += 10
finally:
    m = 5
y = [n, m]
""",
    "with": """
class Scale:
    def __enter__(self): return 4
    def __exit__(self, *args): pass
with Scale() as n, torch.no_grad():
    y = n + 1
""",
    "globals": """
count = 1
def up():
    global count
    count += 1
up()
up()
y = count
""",
    "copies": """
import copy
a = [1, [2]]
b, c, d = a.copy(), copy.deepcopy(a), list(a)
a[1].append(3)
a.append(4)
y = [a, b, c, d]
""",
    "aliases": """
a = [1]
b = a
b.append(2)
def f(xs): xs.append(3)
f(a)
y = [a, b]
""",
    "itertools": """
import itertools
a = list(itertools.chain([1], [2, 3]))
b = list(itertools.product([1, 2], [3]))
c = list(itertools.repeat(0, 2))
d = list(itertools.accumulate([1, 2, 3]))
e = list(itertools.islice([1, 2, 3], 2))
y = [a, b, c, d, e]
""",
    "pairs of a list": """
dims = [4, 8, 16]
y = [nn.Sequential(*[nn.Linear(a, b) for a, b in zip(dims[:-1], dims[1:])]),
     nn.Sequential(*(nn.Linear(dims[i], dims[i + 1]) for i in range(len(dims) - 1)))]
""",
}


def cases(*tables: dict[str, str]) -> list[object]:
    return [pytest.param(code, id=name) for table in tables for name, code in table.items()]


@pytest.mark.parametrize("code", cases(CLASSES, FUNCTIONS, CONTAINERS))
def test_the_same_as_python(code: str) -> None:
    same(code)


def test_a_pattern_that_takes_for_ever_is_not_tried() -> None:
    code = "import re\nparts = re.split({!r}, {!r})\n"
    costly, plain = (interpret(code.format(pattern, "a" * 63)).file.scope.names for pattern in ("a*" * 12 + "b", "a*b"))
    assert isinstance(costly["parts"], Unknown)
    assert isinstance(plain["parts"], Seq)
