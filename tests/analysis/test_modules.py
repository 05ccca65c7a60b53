"""Modules: the tree of children is the one that PyTorch registers, whatever way a model is put together."""

from __future__ import annotations

import pytest
from real_values import HEAD, class_name, interpret, plain_abstract, same, violations

from trainlint.analysis.modules import child_at, children, items, partial_children, unknown_parts, walk, why
from trainlint.analysis.values import Const, Instance, Obj, Unknown, Value

X = "x = torch.zeros(2, 3, 8, 8)\n"
BUILT = {
    "attributes": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(2, 2)
        self.width = 5
        self.b = nn.ReLU()
        self.c = None
y = Net()
""",
    "add_module and register_module": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        for i in range(2):
            self.add_module(f"layer{i}", nn.Linear(i + 1, 2))
        self.register_module("last", nn.ReLU())
    def forward(self, x):
        return self.last(getattr(self, "layer1")(x))
y = [Net(), Net()(torch.zeros(1, 2))]
""",
    "buffers and parameters are no children": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(3, 1, 1))
        self.scale = nn.Parameter(torch.ones(3))
        self.register_parameter("bias", nn.Parameter(torch.ones(3)))
        self.act = nn.ReLU()
    def forward(self, x):
        return self.act(x - self.mean)
y = [Net(), Net()(torch.zeros(2, 3, 4, 5)), Net().mean]
""",
    "make_layer": """
class Net(nn.Module):
    def __init__(self, depths=(2, 1)):
        super().__init__()
        self.width = 4
        self.layer1 = self._make_layer(8, depths[0])
        self.layer2 = self._make_layer(16, depths[1], stride=2)
    def _make_layer(self, out, depth, stride=1):
        layers = []
        for i in range(depth):
            layers.append(nn.Conv2d(self.width, out, 3, stride if i == 0 else 1, 1))
            self.width = out
        return nn.Sequential(*layers)
    def forward(self, x):
        return self.layer2(self.layer1(x))
y = [Net(), Net((1, 3))(torch.zeros(1, 4, 8, 8))]
""",
    "a configuration list": """
cfg = [4, "M", 8, 8, "M"]
def make_layers(cfg, batch_norm=False):
    layers, channels = [], 3
    for v in cfg:
        if v == "M":
            layers += [nn.MaxPool2d(2, 2)]
        else:
            conv = nn.Conv2d(channels, v, 3, padding=1)
            layers += [conv, nn.BatchNorm2d(v), nn.ReLU(True)] if batch_norm else [conv, nn.ReLU(True)]
            channels = v
    return nn.Sequential(*layers)
y = [make_layers(cfg), make_layers(cfg, batch_norm=True)(x)]
""",
    "ModuleList in ways": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.ModuleList([nn.Linear(2, 2) for _ in range(2)])
        self.b = nn.ModuleList()
        for i in range(3):
            self.b.append(nn.ReLU())
        self.b.insert(1, nn.GELU())
        self.b.extend([nn.Tanh(), nn.Sigmoid()])
        self.b += [nn.ELU()]
        self.b[0] = nn.SiLU()
y = [Net(), len(Net().b), Net().b[-1], Net().b[1:3]]
""",
    "ModuleDict in ways": """
d = nn.ModuleDict({"a": nn.Linear(2, 3), "b": nn.ReLU()})
d["c"] = nn.Linear(3, 4)
d.update({"d": nn.GELU()})
del d["b"]
first = [len(d), list(d), list(d.keys()), [k for k, v in d.items()], "a" in d, "b" in d]
last = d.pop("d")
y = [d, first, last, d["c"](d["a"](torch.zeros(1, 2)))]
""",
    "Sequential in ways": """
s = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4), nn.Tanh())
s.append(nn.Sigmoid())
s.insert(0, nn.Identity())
s[1] = nn.Linear(2, 3, bias=False)
t = torch.zeros(1, 2)
y = [s, s[:2], s[-2:], s[1], len(s), s[:3](t), [type(m) for m in s][2], s(t), nn.Sequential(*s[:2], nn.GELU())]
""",
    "del of a child": """
s = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4))
del s[1]
t = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4))
del t[-2:]
y = [s, t, s(torch.zeros(1, 2))]
""",
    "del of an attribute": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(2, 3)
        self.fc = nn.Linear(3, 4)
net = Net()
del net.fc
y = net
""",
    "a replaced head": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        self.fc = nn.Linear(3, 4)
    def forward(self, x):
        return self.fc(self.body(x))
net = Net()
net.fc = nn.Linear(net.fc.in_features, 9)
other = Net()
other.fc = nn.Sequential(nn.Linear(3, 5), nn.Dropout(0.5))
third = Net()
third.fc = nn.Identity()
third.body[0] = nn.Linear(7, 3)
y = [net(torch.zeros(1, 2)), other, other(torch.zeros(1, 2)), third(torch.zeros(1, 7))]
""",
    "all but the last children": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 4)
net = Net()
features = nn.Sequential(*list(net.children())[:-1])
y = [features, features(x), [name for name, _ in net.named_children()], len(list(net.children()))]
""",
    "modules and named_modules": """
net = nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), nn.Linear(3, 4))
y = [[name for name, _ in net.named_modules()], len(list(net.modules())),
     [m.out_features for m in net.modules() if isinstance(m, nn.Linear)]]
""",
    "a shared module comes up once": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(2, 2)
        self.b = self.a
        self.c = nn.Sequential(self.a, nn.ReLU())
y = Net()
""",
    "a class that extends Sequential": """
class Block(nn.Sequential):
    def __init__(self, i, o):
        super().__init__(nn.Conv2d(i, o, 3, padding=1), nn.ReLU())
class Transition(nn.Sequential):
    def __init__(self, n):
        super().__init__()
        self.norm = nn.BatchNorm2d(n)
        self.add_module("pool", nn.AvgPool2d(2))
class Deep(nn.Sequential):
    pass
y = [Block(3, 4), Block(3, 4)(x), Transition(3), Transition(3)(x), Deep(nn.ReLU()), Deep(Block(3, 6), Transition(6))(x),
     Block(3, 4)[0], len(Deep(nn.ReLU()))]
""",
    "a Sequential with a forward of its own": """
class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)
y = [Residual(nn.Conv2d(3, 3, 1), nn.ReLU())(x)]
""",
    "a class that extends ModuleList": """
class Stack(nn.ModuleList):
    def __init__(self, n):
        super().__init__([nn.Linear(n, n) for _ in range(2)])
        self.norm = nn.LayerNorm(n)
    def forward(self, x):
        for layer in self:
            x = layer(x)
        return x
y = [Stack(4), Stack(4)(torch.zeros(3, 4)), len(Stack(3)), Stack(4)[1]]
""",
    "a class that extends a layer": """
class Same(nn.Conv2d):
    def __init__(self, i, o, k):
        super().__init__(i, o, k, padding=k // 2)
class Norm2d(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
class Masked(nn.Linear):
    def forward(self, x):
        return super().forward(x[:, : self.in_features])
class Plain(nn.BatchNorm2d):
    pass
y = [Same(3, 5, 3), Same(3, 5, 3)(x), Same(3, 5, 3).out_channels, Norm2d(3)(x), Masked(4, 2)(torch.zeros(1, 4)),
     Plain(3)(x), nn.Sequential(Same(3, 4, 1), Plain(4))]
""",
    "a layer's constructor called by name": """
class Same(nn.Conv2d):
    def __init__(self, i, o):
        nn.Conv2d.__init__(self, i, o, 3, padding=1)
class Two(nn.Sequential):
    def __init__(self):
        nn.Sequential.__init__(self, nn.ReLU(), nn.Tanh())
y = [Same(3, 7)(x), Two()]
""",
    "a class that extends a loss": """
class Smooth(nn.CrossEntropyLoss):
    def __init__(self):
        super().__init__(label_smoothing=0.1)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.loss = Smooth()
y = [Net(), Smooth()(torch.zeros(2, 3), torch.zeros(2, dtype=torch.long))]
""",
    "deep copies": """
import copy
class Net(nn.Module):
    def __init__(self, layer, n):
        super().__init__()
        self.layers = nn.ModuleList([copy.deepcopy(layer) for _ in range(n)])
    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
y = [Net(nn.Linear(3, 3), 2), Net(nn.Linear(3, 3), 2)(torch.zeros(1, 3))]
""",
    "apply, train and to give the model back": """
net = nn.Sequential(nn.Linear(2, 3))
y = [net.train(), net.eval(), net.apply(lambda m: None), net.requires_grad_(False), net.float()]
""",
    "get_submodule": """
net = nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), nn.Linear(3, 4))
y = [net.get_submodule("0.1"), net.get_submodule("0")]
""",
    "a model inside a model": """
class Inner(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.fc = nn.Linear(n, n)
    def forward(self, x): return self.fc(x)
class Outer(nn.Module):
    def __init__(self, inner, heads):
        super().__init__()
        self.inner = inner
        self.heads = nn.ModuleDict({name: nn.Linear(4, n) for name, n in heads.items()})
    def forward(self, x):
        x = self.inner(x)
        return {name: head(x) for name, head in self.heads.items()}
net = Outer(Inner(4), {"a": 2, "b": 3})
y = [net, net(torch.zeros(1, 4))]
""",
    "methods of children": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(3, 4, k, padding="same") for k in (1, 3)])
    def forward(self, x):
        return [conv(x) for conv in self.convs], [c.kernel_size[0] for c in self.convs]
y = Net()(x)
""",
    "an embedding of given vectors": """
e = nn.Embedding.from_pretrained(torch.zeros(10, 4), freeze=True)
y = [e, e(torch.zeros(2, 3, dtype=torch.long)), e.embedding_dim]
""",
    "choices by name": """
class Net(nn.Module):
    def __init__(self, act="relu", norm=None):
        super().__init__()
        self.act = {"relu": nn.ReLU, "gelu": nn.GELU}[act]()
        norm = norm or nn.BatchNorm2d
        self.norm = norm(3)
        self.pool = nn.MaxPool2d(2) if act == "relu" else nn.Identity()
y = [Net(), Net("gelu", nn.InstanceNorm2d), Net(norm=lambda n: nn.GroupNorm(1, n))]
""",
}


@pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in BUILT.items()])
def test_the_same_as_pytorch(code: str) -> None:
    same(X + code)


def model(code: str, name: str = "net") -> Value:
    program = interpret(HEAD + code)
    assert not violations(program)
    return program.file.scope.names[name]


# programs whose children are not all known → the reason, by the part it holds for
UNKNOWN_PARTS = {
    "net = nn.Sequential(*layers())": {"": "an argument list that is not known"},
    "net = nn.ModuleList(parts)": {"": "parts"},
    "net = nn.Sequential(nn.ReLU(), part)": {"": "child 1 is not known"},
    "net = nn.Sequential(nn.Sequential(*more), nn.ReLU())": {"0": "an argument list that is not known"},
    "net = nn.ModuleList()\nfor i in range(n):\n    net.append(nn.ReLU())": {"": "children that are added in a loop"},
    "net = nn.Sequential(nn.ReLU())\nnet[where] = nn.Tanh()": {"": "a child under a name that is not known"},
    "net = nn.ModuleDict({'a': nn.ReLU()})\nnet.update(others)": {"": "a child under a name that is not known"},
    "net = nn.Sequential(nn.ReLU(), nn.Tanh())[:k]": {"": "a slice that is not known"},
    "class Net(nn.Module):\n    def __init__(self, part):\n        super().__init__()\n        self.part = part\n"
    "    def forward(self, x):\n        return self.part(x)\nnet = Net(f())": {"": "`self.part` is not known"},
    "class Net(Base, nn.Module):\n    def __init__(self):\n        super().__init__()\nnet = Net()": {
        "": "the base class `Base` is not known"
    },
    "import torchvision\nnet = torchvision.models.resnet18()": {"": "what `resnet18` is made of is not known"},
}


@pytest.mark.parametrize("code", UNKNOWN_PARTS)
def test_what_is_not_known_and_why(code: str) -> None:
    net = model(code)
    found = unknown_parts(net)
    assert found == UNKNOWN_PARTS[code]
    assert children(net) is None or "" not in found


def test_children_under_an_undecided_condition() -> None:
    code = (
        "if flag:\n    last = nn.Linear(2, 3)\nelse:\n    last = nn.Identity()\nnet = nn.Sequential(nn.ReLU(), last)\n"
    )
    net = model(code)
    # both are walked under the same name
    assert [(name, repr(m)) for name, m in walk(net)] == [
        ("", "<torch.nn.Sequential>"),
        ("0", "<torch.nn.ReLU>"),
        ("1", "<torch.nn.Linear>"),
        ("1", "<torch.nn.Identity>"),
    ]
    maybe = model("net = nn.Sequential(nn.ReLU())\nif flag:\n    net.append(nn.Tanh())\n")
    assert why(maybe) == "" or children(maybe) is None


def test_the_parts_of_a_container() -> None:
    net = model("net = nn.Sequential(nn.ReLU(), nn.Tanh())\n")
    assert isinstance(net, Obj)
    assert list(map(repr, items(net) or [])) == ["<torch.nn.ReLU>", "<torch.nn.Tanh>"]
    assert repr(child_at(net, Const(-1))) == "<torch.nn.Tanh>"
    assert isinstance(child_at(net, Const(2)), Unknown)
    assert repr(child_at(net, Unknown())) == "<torch.nn.ReLU> | <torch.nn.Tanh>"


def test_a_layer_that_a_class_extends_is_no_child() -> None:
    net = model("class Same(nn.Conv2d):\n    pass\nnet = Same(3, 4, 1)\n")
    assert isinstance(net, Instance)
    assert partial_children(net) == {}
    assert plain_abstract(net) == {"": "Same"}


def test_what_a_layer_refuses_holds_for_the_classes_that_extend_it() -> None:
    code = "class Same(nn.Conv2d):\n    pass\nclass Deep(nn.Sequential):\n    pass\n"
    wrong = interpret(HEAD + code + "y = Deep(Same(3, 4, 1), nn.ReLU())(torch.zeros(1, 5, 8, 8))\n")
    assert [v.kind for v in violations(wrong)] == ["channels"]


def test_a_class_that_is_chosen_by_an_unknown_name() -> None:
    code = (
        "class Net(nn.Module):\n    def __init__(self, kind):\n        super().__init__()\n"
        "        if kind in ('LSTM', 'GRU'):\n            self.rnn = getattr(nn, kind)(4, 8)\n"
        "        else:\n            self.rnn = nn.RNN(4, 8, nonlinearity={'T': 'tanh', 'R': 'relu'}[kind])\n"
        "        self.act = {'relu': nn.ReLU, 'gelu': nn.GELU}[kind]()\n"
        "    def forward(self, x):\n        return self.act(self.rnn(x)[0])\nnet = Net(name())\n"
    )
    found = [(name, repr(part).rpartition(".")[2]) for name, part in walk(model(code))]
    assert found == [
        ("", "Net()"),
        ("rnn", "LSTM>"),
        ("rnn", "GRU>"),
        ("rnn", "RNN>"),
        ("act", "ReLU>"),
        ("act", "GELU>"),
    ]


def test_a_configuration_class_gives_its_defaults_where_nobody_builds_the_model() -> None:
    code = (
        "from dataclasses import dataclass\n@dataclass\nclass Config:\n    depth: int = 2\n    width: int = 8\n"
        "class Net(nn.Module):\n    def __init__(self, config: Config):\n        super().__init__()\n"
        "        self.layers = nn.Sequential(*[nn.Linear(config.width, config.width) for _ in range(config.depth)])\n"
    )
    net = next(cls for cls in interpret(HEAD + code).classes if cls.name == "Net").default_instance
    assert net is not None
    assert plain_abstract(net) == {"": "Net", "layers": "Sequential", "layers.0": "Linear", "layers.1": "Linear"}


COMPOSITES = {
    "torchvision.ops.Conv2dNormActivation(3, 8, stride=2)": ["Conv2d", "BatchNorm2d", "ReLU"],
    "torchvision.ops.misc.Conv2dNormActivation(3, 8, 5, norm_layer=None)": ["Conv2d", "ReLU"],
    "torchvision.ops.Conv2dNormActivation(3, 8, activation_layer=None)": ["Conv2d", "BatchNorm2d"],
    "torchvision.ops.MLP(8, [4, 2], norm_layer=nn.LayerNorm)": [
        "Linear", "LayerNorm", "ReLU", "Dropout", "Linear", "Dropout",
    ],
    "torchvision.ops.SqueezeExcitation(8, 2)": ["AdaptiveAvgPool2d", "Conv2d", "Conv2d", "ReLU", "Sigmoid"],
    "torchvision.ops.StochasticDepth(0.1, 'row')": [],
    "torchvision.ops.FrozenBatchNorm2d(8)": [],
    "timm.models.layers.DropPath(0.1)": [],
    "timm.layers.Mlp(8, 16)": ["Linear", "GELU", "Dropout", "Identity", "Linear", "Dropout"],
}  # fmt: skip


@pytest.mark.parametrize("code", COMPOSITES)
def test_modules_of_libraries_that_are_made_of_layers(code: str) -> None:
    net = model(f"import timm, torchvision\nnet = nn.Sequential({code})\n")
    assert unknown_parts(net) == {}
    made = [class_name(part) for name, part in walk(net) if name.startswith("0.")]
    assert made == COMPOSITES[code]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("torchvision.ops.Conv2dNormActivation(3, 8, stride=2)(x)", ("2", "8", "4", "4")),
        ("torchvision.ops.SqueezeExcitation(3, 1)(x)", ("2", "3", "8", "8")),
        ("torchvision.ops.StochasticDepth(0.1, 'row')(x)", ("2", "3", "8", "8")),
        ("timm.layers.DropPath(0.1)(x)", ("2", "3", "8", "8")),
        ("timm.layers.Mlp(8, 16, 5)(x)", ("2", "3", "8", "5")),
        ("torchvision.ops.MLP(8, [4, 2])(x)", ("2", "3", "8", "2")),
        ("Block(3, 6)(x)", ("2", "6", "8", "8")),
    ],
)
def test_what_they_give(code: str, expected: tuple[str, ...]) -> None:
    block = "class Block(torchvision.ops.Conv2dNormActivation):\n    pass\n"
    assert plain_abstract(model(f"import timm, torchvision\n{X}{block}y = {code}\n", "y")) == ("tensor", expected)


def test_what_they_refuse() -> None:
    wrong = interpret(f"{HEAD}import torchvision\n{X}y = torchvision.ops.SqueezeExcitation(4, 1)(x)\n")
    assert [v.kind for v in violations(wrong)] == ["channels"]
