"""Recurrent layers, attention and transformers against torch."""

from __future__ import annotations

from agreement import agree
from hypothesis import given, settings
from hypothesis import strategies as st

SMALL = st.integers(1, 4)
FEW = settings(max_examples=80, deadline=None)


@FEW
@given(
    st.sampled_from(["RNN", "LSTM", "GRU"]), SMALL, SMALL, SMALL, st.integers(1, 2), st.booleans(), st.booleans(),
    st.lists(SMALL, min_size=1, max_size=4), st.booleans(),
)  # fmt: skip
def test_layers(
    kind: str, fed: int, size: int, hidden: int, layers: int, first: bool, both: bool, lead: list[int], fits: bool
) -> None:
    shape = [*lead, size if fits else fed]
    agree(
        f"layer = nn.{kind}({size}, {hidden}, num_layers={layers}, batch_first={first}, bidirectional={both})\n"
        f"y = layer(torch.zeros({shape}))\n"
    )


@FEW
@given(st.sampled_from(["RNN", "LSTM", "GRU"]), SMALL, SMALL, st.lists(SMALL, min_size=0, max_size=2), SMALL)
def test_cells(kind: str, size: int, hidden: int, lead: list[int], fed: int) -> None:
    agree(f"y = nn.{kind}Cell({size}, {hidden})(torch.zeros({[*lead, fed]}))\n")


@FEW
@given(SMALL, st.integers(2, 5), st.integers(1, 3), st.booleans(), st.sampled_from([None, True, False]))
def test_projection(length: int, hidden: int, batch: int, both: bool, first: bool | None) -> None:
    extra = "" if first is None else f", batch_first={first}"
    agree(
        f"layer = nn.LSTM(3, {hidden}, bidirectional={both}, proj_size={hidden - 1}{extra})\n"
        f"y, (h, c) = layer(torch.zeros({length}, {batch}, 3))\ny = [y, h, c]\n"
    )


@FEW
@given(
    st.integers(1, 3), st.integers(1, 2), SMALL, SMALL, SMALL, st.booleans(),
    st.sampled_from(["", ", need_weights=False", ", average_attn_weights=False"]), st.booleans(),
)  # fmt: skip
def test_attention(
    width: int, heads: int, batch: int, length: int, source: int, first: bool, extra: str, fits: bool
) -> None:
    size = width * heads
    shapes = [(batch, n, size) if first else (n, batch, size) for n in (length, source)]
    wrong = size if fits else size + 1
    agree(
        f"layer = nn.MultiheadAttention({size}, {heads}, batch_first={first})\n"
        f"q = torch.zeros({[*shapes[0][:2], wrong]})\nk = torch.zeros({shapes[1]})\ny = layer(q, k, k{extra})\n"
    )


@FEW
@given(st.integers(1, 3), st.integers(1, 2), SMALL, SMALL, st.booleans())
def test_transformers(width: int, heads: int, batch: int, length: int, fits: bool) -> None:
    size = width * heads
    shape = (batch, length, size if fits else size + 1)
    layer = f"nn.TransformerEncoderLayer({size}, {heads}, 8, batch_first=True)"
    agree(f"y = nn.TransformerEncoder({layer}, 2)(torch.zeros({shape}))\n")
    agree(f"y = {layer}(torch.zeros({shape}))\n")
