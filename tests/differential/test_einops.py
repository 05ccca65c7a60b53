"""Patterns of einops: the shapes agree with the real library, and so does where it refuses them."""

from __future__ import annotations

import pytest
from agreement import HEAD, PATH, agree, interpreted, symbolic
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_workspace import MemoryWorkspace

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.facts import AxisChange
from trainlint.analysis.program import Program
from trainlint.analysis.values import Mapping
from trainlint.syntax.document import Document

IMPORT = "from einops import einsum, pack, parse_shape, rearrange, reduce, repeat, unpack\n"
LAYERS = "from einops.layers.torch import Rearrange, Reduce\n"


def tensor(shape: tuple[int, ...], dtype: str = "float32") -> str:
    return f"torch.ones({shape!r}, dtype=torch.{dtype})"


@st.composite
def patterns(draw: st.DrawFn) -> str:
    """A pattern from axes in random groups, and a tensor that mostly fits it."""
    names = list("abcd")[: draw(st.integers(1, 4))]
    sizes = {n: draw(st.integers(1, 3)) for n in names}
    left = grouped(draw, names)
    operation = draw(st.sampled_from(["rearrange", "rearrange", "reduce", "repeat"]))
    right_names = draw(st.permutations(names))
    if operation == "reduce":
        right_names = right_names[draw(st.integers(0, len(names))) :]
    given = {}
    if operation == "repeat":
        right_names = [*right_names, *draw(st.sampled_from([["n"], ["2"], []]))]
        if "n" in right_names and draw(st.sampled_from([True] * 6 + [False])):
            given["n"] = 2
    right = grouped(draw, right_names)
    for group in left:
        if len(group) > 1:
            for name in group[draw(st.integers(0, 1)) :] if draw(st.sampled_from([True] * 8 + [False])) else ():
                given[name] = sizes[name]
            if len(group) - sum(n in given for n in group) > 1 and draw(st.booleans()):
                given.update({n: sizes[n] for n in group[1:]})
    shape = []
    for group in left:
        size = 1
        for name in group:
            size *= sizes[name]
        shape.append(size)
    left_text, right_text = text_of(left), text_of(right)
    spoiled = draw(st.sampled_from(["", "", "", "", "size", "axis", "name", "dots", "unused", "ones", "ones"]))
    if spoiled == "size":
        shape[draw(st.integers(0, len(shape) - 1))] += 1
    elif spoiled == "axis":
        shape = shape[1:] if draw(st.booleans()) else [*shape, 2]
    elif spoiled == "name":
        right_text = right_text.replace("a", "z")
    elif spoiled == "dots":
        left_text, right_text = f"... {left_text}", draw(st.sampled_from([f"... {right_text}", f"{right_text} (...)"]))
        shape = [*draw(st.lists(st.integers(1, 3), max_size=2)), *shape]
    elif spoiled == "unused":
        given["q"] = 2
    elif spoiled == "ones":
        left_text, right_text = f"1 {left_text}", f"{right_text} 1 ()"
        shape = [1, *shape]
    keywords = "".join(f", {k}={v}" for k, v in given.items())
    how = draw(st.sampled_from(["'sum'", "'max'", "'mean'", "'prod'"])) if operation == "reduce" else ""
    pattern = f"{left_text} -> {right_text}"
    if operation != "repeat" and draw(st.booleans()):
        arguments = f"{pattern!r}{', ' + how if how else ''}{keywords}"
        return f"{LAYERS}y = {operation.title()}({arguments})({tensor(tuple(shape))})"
    return f"{IMPORT}y = {operation}({tensor(tuple(shape))}, {pattern!r}{', ' + how if how else ''}{keywords})"


def grouped(draw: st.DrawFn, names: list[str]) -> list[list[str]]:
    groups: list[list[str]] = []
    for name in names:
        if groups and draw(st.sampled_from([False, False, True])):
            groups[-1].append(name)
        else:
            groups.append([name])
    return groups


def text_of(groups: list[list[str]]) -> str:
    return " ".join(g[0] if len(g) == 1 else f"({' '.join(g)})" for g in groups)


@settings(max_examples=160, deadline=None)
@given(patterns())
def test_patterns(code: str) -> None:
    agree(code)


@pytest.mark.parametrize(
    "call",
    [
        "rearrange(x, 'b c h w -> b (h w) c')",
        "rearrange(x, 'b c (h p) (w q) -> b (h w) (p q c)', p=2, q=2)",
        "rearrange(x, 'b c (h p) (w q) -> b (h w) (p q c)', p=3, q=2)",
        "rearrange(x, 'b c (h p) w -> b h w p c')",
        "rearrange(x, 'b c h w -> b c h')",
        "rearrange(x, 'b c h -> b c h')",
        "rearrange(x, 'b c h w -> b c w h h')",
        "rearrange(x, 'b c h h -> b c h')",
        "rearrange(x, 'b c h w')",
        "rearrange(x, 'b c h w -> b c -> h w')",
        "rearrange(x, 'b (c h w -> b c h w')",
        "rearrange(x, 'b ((c h) w) -> b c h w')",
        "rearrange(x, 'b c) h w -> b c h w')",
        "rearrange(x, 'b c h- w -> b c h- w')",
        "rearrange(x, 'b _c h w -> b _c h w')",
        "rearrange(x, 'b 3 h w -> b 3 h w')",
        "rearrange(x, 'b 1 h w -> b h w')",
        "rearrange(x, 'b ... -> ... b')",
        "rearrange(x, '... w -> (...) w')",
        "rearrange(x, '(...) w -> ... w')",
        "rearrange(x, 'b ... c d e f -> b ...  c d e f')",
        "rearrange(x, 'b .. -> b ..')",
        "rearrange(x, 'b c h w -> b ...')",
        "rearrange(x, 'b c h w -> b c h w 1')",
        "rearrange(x, 'b c h w -> b c h w', h=5)",
        "rearrange(x, 'b c h w -> b c h w', k=5)",
        "rearrange([x, x], 'n b c h w -> (n b) c h w')",
        "rearrange([x, x, x], 'n ... -> ... n')",
        "rearrange(tensor=x, pattern='b c h w -> (b c h w)')",
        "reduce(x, 'b c h w -> b c', 'mean')",
        "reduce(x, 'b c h w -> b c 1 1', 'max')",
        "reduce(x, 'b c (h 2) (w 2) -> b c h w', 'max')",
        "reduce(x, 'b c (h 3) (w 2) -> b c h w', 'max')",
        "reduce(x, 'b c (h2 h) w -> b c h w', 'sum', h2=2)",
        "reduce(x, 'b c h w -> b c k', 'sum')",
        "reduce(x, 'b c h w -> b c', 'average')",
        "reduce(x.long(), 'b c h w -> b c', 'mean')",
        "reduce(x.long(), 'b c h w -> b c h w', 'mean')",
        "reduce(x.int(), 'b c h w -> b c', 'sum')",
        "reduce(x > 0, 'b c h w -> b c', 'any')",
        "reduce(x, '... w -> ...', 'min')",
        "repeat(x, 'b c h w -> b c (h 2) (w 2)')",
        "repeat(x, 'b c h w -> b c h w k', k=3)",
        "repeat(x, 'b c h w -> b c h w k')",
        "repeat(x, 'b c h w -> b c h')",
        "repeat(x, 'b 3 h w -> b 3 h w')",
        "repeat(x, '... w -> ... (w n)', n=2)",
        "einsum(x, x, 'b c h w, b d h w -> b c d')",
        "einsum(x, x, 'b c h w, b d w h -> b c d')",
        "einsum(x, 'batch chan row col -> batch chan')",
        "einsum(x, '... col -> ...')",
        "einsum(x, x, 'b c h w, b c h w -> z')",
        "einsum(x, x, 'b c h w, b c h w')",
        "einsum(x, '(b c) h w -> h w')",
        "einsum(x, 'b c h w -> b b')",
        "einsum(x, 'b 1 h w -> b')",
        "parse_shape(x, 'b _ h w')",
        "parse_shape(x, 'b ... w')",
        "parse_shape(x, 'b h w')",
        "parse_shape(x, 'b')",
        "pack([x, x[0:1]], '* c h w')[0]",
        "pack([x, x.flatten(1)], 'b *')[0]",
        "pack([x, torch.ones(3)], 'b *')[0]",
        "pack([x, torch.ones(3)], 'b c *')[0]",
        "pack([x, x], 'b c h w')[0]",
        "unpack(x, [(2,), (1,)], 'b * h w')",
        "unpack(torch.ones(2, 12), [(2, 3), (6,)], 'b *')",
        "unpack(x, [(2,), (1,)], 'b *')",
        "unpack(*pack([x, x[:, :1]], 'b * h w'), 'b * h w')",
    ],
)
def test_calls(call: str) -> None:
    agree(f"{IMPORT}x = torch.ones(2, 3, 4, 6)\ny = {call}")


@pytest.mark.parametrize(
    "code",
    [
        "y = rearrange(torch.ones(B, 3, 32, 32), 'b c (h p) (w q) -> b (h w) (p q c)', p=4, q=4)",
        "y = rearrange(torch.ones(B, T, 64), 'b t (h d) -> b h t d', h=8)",
        "y = rearrange(torch.ones(B * T, 64), '(b t) d -> b t d', t=T)",
        "y = rearrange(torch.ones(B, T, 64), 'b t d -> (b t) d')",
        "y = repeat(torch.ones(1, 1, 16), '() n d -> b n d', b=B)",
        "y = reduce(torch.ones(B, 8, T, T), 'b c h w -> b c', 'mean')",
        "y = einsum(torch.ones(B, T, 8), torch.ones(B, T, 8), 'b i d, b j d -> b i j')",
        "a, ps = pack([torch.ones(B, 1, 16), torch.ones(B, T, 16)], 'b * d')\ny = a",
        "x = torch.ones(B, T, 16)\ny = rearrange(x, 'b t (h d) -> b h t d', **parse_shape(x[:, :, :4], '_ _ h'))",
    ],
)
def test_symbols(code: str) -> None:
    symbolic(IMPORT + code, B=4, T=6)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("rearrange(unknown, 'b c h w -> b (h w) c')", "_ _ _"),
        ("repeat(unknown, '1 d -> b d', b=4)", "4 _"),
        ("rearrange(wide, 'b n (h d) -> b h n d', h=2)", "_ 2 _ 4"),
        ("rearrange(torch.ones(2, n), 'a (b c) -> a b c', b=2)", "2 2 _"),
        ("rearrange(torch.ones(2, 6), 'a (b c) -> a b c', b=n)", "2 _ _"),
        ("rearrange(torch.ones(2, 6), 'a (b c) -> a b c', **sizes)", "2 _ _"),
    ],
)
def test_what_is_not_known(code: str, text: str) -> None:
    head = f"{IMPORT}import os, other\nn = os.cpu_count()\nunknown = other.f()\nsizes = other.g()\n"
    value, violations = interpreted(f"{head}wide = nn.Linear(4, 8)(unknown)\ny = {code}")
    assert not violations
    assert isinstance(value, Array)
    assert value.shape is not None
    assert " ".join(map(dims.text, value.shape)) == text


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("rearrange(unknown, 'b c h w -> b (h w)')", "einops"),
        ("rearrange(wide, 'b n (h d) -> b h n d', h=3)", "einops"),
        ("einsum(wide, torch.ones(9, 2), '... d, d e -> ... e')", "matmul"),
        ("Rearrange('b c h w -> b h w')(unknown)", "einops"),
    ],
)
def test_proved_without_a_shape(code: str, kind: str) -> None:
    head = f"{IMPORT}{LAYERS}import other\nunknown = other.f()\nwide = nn.Linear(4, 8)(unknown)\n"
    _, violations = interpreted(f"{head}y = {code}")
    assert [v.kind for v in violations] == [kind]


def test_shape_by_name() -> None:
    value, _ = interpreted(f"{IMPORT}y = parse_shape(torch.ones(2, 3, 4), 'b _ w')")
    assert isinstance(value, Mapping)
    assert {k: dims.text(v) for k, v in value.items.items()} == {"b": "2", "w": "4"}


@pytest.mark.parametrize(
    ("code", "layout", "channels"),
    [
        ("rearrange(x, 'h w c -> c h w')", "CHW", 3),
        ("rearrange(x, 'c h w -> w c h')", "CHW", 3),
        ("rearrange(x, 'h w c -> 1 c h w')", "NCHW", 3),
        ("rearrange(x, 'h w c -> (h w) c')", None, None),
        ("rearrange(x, '... c -> c ...')", "CHW", 3),
        ("rearrange([x, x], 'b h w c -> b c h w')", "NCHW", 3),
        ("rearrange(torch.stack([x, x]), '(b t) h w c -> b t c h w', t=2)", "NTCHW", 3),
        ("rearrange(torch.stack([torch.stack([x])]), 't b h w c -> (t b) c h w')", "NCHW", 3),
        ("rearrange(x, '(h p) (w q) c -> h w (p q c)', p=2, q=2)", None, None),
        ("rearrange(x, '(h p) w c -> (h w) (p c)', p=2)", None, None),
        ("reduce(x, '(h 2) (w 2) c -> h w c', 'mean')", "HWC", 3),
        ("reduce(x, 'h w c -> h w', 'mean')", "HW", None),
        ("repeat(x, 'h w c -> (h 2) (w 2) c')", "HWC", 3),
        ("repeat(x, 'h w c -> h w (c n)', n=2)", "HWC", 6),
        ("repeat(reduce(x, 'h w c -> h w', 'mean'), 'h w -> h w c', c=3)", None, None),
    ],
)
def test_letters_follow_by_position(code: str, layout: str | None, channels: int | None) -> None:
    head = f"{IMPORT}import cv2\nx = torch.from_numpy(cv2.resize(cv2.imread('a.png'), (32, 32))).float()\n"
    program = Program(PATH, Document(f"{HEAD}{head}y = {code}"), MemoryWorkspace({}))
    program.interpret()
    value = program.file.scope.names["y"]
    assert isinstance(value, Array)
    assert (value.layout, value.channels) == (layout, channels)
    if code == "rearrange(x, 'h w c -> c h w')":
        assert [(f.before, f.after) for f in program.facts if isinstance(f, AxisChange)] == [("HWC", "CHW")]
        assert value.colour == "BGR"


def test_layers_run_in_a_model() -> None:
    agree(
        f"{LAYERS}net = nn.Sequential(Rearrange('b c (h p) (w q) -> b (h w) (p q c)', p=8, q=8), nn.Linear(192, 64),\n"
        "    Reduce('b n d -> b d', 'mean'), nn.Linear(64, 10))\ny = net(torch.ones(2, 3, 32, 32))"
    )
