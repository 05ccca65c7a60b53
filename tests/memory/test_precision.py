"""Automatic mixed precision against real steps under CUDA's lists."""

from __future__ import annotations

import re

import pytest
from cuda_autocast import cuda_lists, lists
from test_estimate import HEAD, LOOP, MODELS, OPTIMIZERS, SGD, estimated, measured

from trainlint.memory.autocast_lists import POLICIES
from trainlint.memory.saved.names import normal

AMP = LOOP.replace(
    """    out = net(x)
    loss = F.cross_entropy(out, target)
""",
    """    with torch.autocast("cuda", dtype=torch.bfloat16):
        out = net(x)
        loss = F.cross_entropy(out, target)
""",
)
TOKENS = (
    AMP.replace("torch.rand(8, 3, 16, 16)", "torch.randint(0, 300, (8, 12))")
    .replace("(0, 10, (8,))", "(0, 300, (8, 12))")
    .replace("F.cross_entropy(out, target)", "F.cross_entropy(out.view(-1, 300), target.view(-1))")
)
ATTENTION = """
class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def attend(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q @ k.transpose(-2, -1) * 0.25).softmax(dim=-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(b, t, c))

    def forward(self, x):
        x = x + self.attend(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(300, 32)
        self.position = nn.Parameter(torch.zeros(1, 12, 32))
        self.blocks = nn.ModuleList([Block(32, 2) for _ in range(2)])
        self.norm = nn.LayerNorm(32)
        self.head = nn.Linear(32, 300, bias=False)

    def forward(self, x):
        x = self.embed(x) + self.position
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


net = Net()
"""
LAYERS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(300, 32)
        self.layer = {layer}
        self.head = nn.Linear(32, 300)

    def forward(self, x):
        x = self.embed(x)
        {forward}
        return self.head(x)


net = Net()
"""
PARTS = {
    "attention": (
        "nn.MultiheadAttention(32, 4, batch_first=True)",
        "y, _ = self.layer(x, x, x)\n        x = x + y\n        del _, y",
    ),
    "fused attention": (
        "nn.MultiheadAttention(32, 4, batch_first=True)",
        "x = x + self.layer(x, x, x, need_weights=False)[0]",
    ),
    "encoder": ("nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)", "x = self.layer(x)"),
    "pre-norm encoder": (
        "nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, norm_first=True)",
        "x = self.layer(x)",
    ),
    "powers": ("nn.Linear(32, 32)", "x = F.normalize(self.layer(x), dim=-1) * (x ** 2).mean(-1, keepdim=True).rsqrt()"),
    "parameter": ("nn.Parameter(torch.zeros(32, 32))", "x = F.linear(x, self.layer) + F.linear(x, self.layer)"),
    "frozen": ("nn.Linear(32, 32).requires_grad_(False)", "x = torch.relu(self.layer(x))"),
}


def compared(code: str, rel: float = 0.03) -> None:
    with cuda_lists():
        alive, peak = measured(code.replace('"cuda"', '"cpu"'))
    estimate = estimated(code)
    assert estimate.unknown == []
    parts = ("parameters", "buffers", "optimizer", "batch", "activations")
    assert sum(estimate.terms[name] for name in parts) == pytest.approx(alive, rel=0.001, abs=1024)
    assert estimate.peak.allocated - estimate.terms["workspace"] == pytest.approx(peak, rel=rel)


@pytest.mark.parametrize("model", ["convolutions", "residual"])
def test_a_real_step_of_images(model: str) -> None:
    compared(HEAD + MODELS[model] + OPTIMIZERS["momentum"] + AMP)


def test_a_real_step_of_tokens() -> None:
    compared(HEAD + ATTENTION + OPTIMIZERS["adamw"] + TOKENS)


@pytest.mark.parametrize("part", PARTS)
def test_a_real_step_of_a_layer(part: str) -> None:
    layer, forward = PARTS[part]
    compared(HEAD + LAYERS.format(layer=layer, forward=forward) + OPTIMIZERS["sgd"] + TOKENS, rel=0.05)


@pytest.mark.parametrize(
    "loss",
    [
        "F.cross_entropy(out, target, label_smoothing=0.1)",
        "F.mse_loss(out, F.one_hot(target, 10).float())",
        "F.binary_cross_entropy_with_logits(out, F.one_hot(target, 10).float())",
        "F.nll_loss(F.log_softmax(out, dim=1), target)",
        "F.cross_entropy(out.float(), target)",
    ],
)
def test_a_real_step_with_another_loss(loss: str) -> None:
    compared(HEAD + MODELS["convolutions"] + OPTIMIZERS["sgd"] + AMP.replace("F.cross_entropy(out, target)", loss))


def test_the_lists_are_those_of_torch() -> None:
    wanted = {}
    for full, policy in lists().items():
        name = full.partition(".")[0].removeprefix("_thnn_fused_").removeprefix("linalg_").removeprefix("_")
        name = re.sub(r"^rnn_(tanh|relu)_cell$", "rnn_cell", re.sub(r"^upsample_.*", "interpolate", name))
        name = {"grid_sampler": "grid_sample", "convolution": "conv", "nll_loss2d": "nll_loss"}.get(name, name)
        wanted[normal(f"torch.{name}")[0]] = "accumulate" if policy == "append" else policy
    # kernels behind the functions of that name, and norms that no program writes down
    for name in ("scaled_dot_product_flash_attention", "native_layer_norm", "frobenius_norm", "nuclear_norm"):
        del wanted[name]
    known = {name: policy for name, policy in POLICIES.items() if name in wanted}
    assert known == {name: policy for name, policy in wanted.items() if name in POLICIES}
    assert set(wanted) - set(POLICIES) == set()
    # layers and functions that consist of these
    assert set(POLICIES) - set(wanted) == {
        *("lstm", "gru", "rnn", "multihead_attention", "square", "softmin", "pairwise_distance", "normalize"),
    }


DEVICE = "net = net.cuda()\n"


@pytest.mark.parametrize(
    ("context", "text"),
    [
        ("torch.autocast(device_type=kind, dtype=torch.bfloat16)", ""),
        ("torch.cuda.amp.autocast()", ""),
        ("torch.amp.autocast('cuda', torch.float16, True)", ""),
        ("torch.cuda.amp.autocast(enabled=False)", "off"),
        ("torch.autocast('cuda', enabled=args.amp)", "off"),
        ("torch.autocast('cuda', enabled=not args.amp)", ""),
        ("torch.autocast('cuda', dtype=torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16)", ""),
        ("torch.autocast('cuda', enabled=other.amp)", "whether automatic mixed precision is on"),
        ("torch.autocast('cuda', dtype=other.dtype)", "the dtype of automatic mixed precision"),
        ("torch.autocast('cpu')", "automatic mixed precision of the CPU"),
    ],
)
def test_contexts(context: str, text: str) -> None:
    head = (
        "import argparse, other\nparser = argparse.ArgumentParser()\n"
        "parser.add_argument('--amp', action='store_true')\nargs = parser.parse_args()\n"
        "kind = 'cuda' if torch.cuda.is_available() else 'cpu'\n"
    )
    code = HEAD + head + MODELS["convolutions"] + DEVICE + SGD
    plain = estimated(code + LOOP)
    found = estimated(code + AMP.replace('torch.autocast("cuda", dtype=torch.bfloat16)', context))
    if text == "off":
        assert found.terms == plain.terms
        return
    assert [what for _, what in found.unknown if not what.startswith(text or "-")] == []
    assert bool(found.unknown) == bool(text)
    if not text:
        assert found.terms["activations"] < 0.7 * plain.terms["activations"]


def test_a_decorator_and_a_nested_context() -> None:
    """`forward` under a decorator is under autocast; what is excepted inside is not."""
    code = HEAD + MODELS["residual"] + DEVICE + SGD
    outside = estimated(code + AMP)
    forward = "    def forward(self, x):\n        x = self"
    inside = estimated(code.replace(forward, f"    @torch.autocast('cuda')\n{forward}") + LOOP)
    assert inside.unknown == []
    assert inside.terms["activations"] == pytest.approx(outside.terms["activations"], rel=0.01)
    stem = "        x = self.stem(x)\n"
    single = "        with torch.autocast('cuda', enabled=False):\n            x = self.stem(x.float())\n"
    excepted = estimated(code.replace(stem, single) + AMP)
    assert excepted.unknown == []
    assert excepted.terms["activations"] > outside.terms["activations"]
