"""Arrays of NumPy agree with NumPy: the shape and dtype of the tensor that `torch.from_numpy` makes of them."""

from __future__ import annotations

import pytest
from agreement import agree

HEAD = """
import numpy as np
images = np.random.rand(10, 8, 9, 3).astype(np.float32)
square = np.array([[1.0, 0, 2], [0, 1, 2], [0, 0, 1]])
rng = np.random.default_rng(0)
old = np.random.RandomState(0)
order = np.arange(16)
np.random.shuffle(order)
"""


@pytest.mark.parametrize(
    "made",
    [
        *(
            "np.arange(7)",
            "np.arange(2, 9, 3)",
            "np.arange(0, 10, 0.5)",
            "np.arange(3.0)",
            "np.arange(4, dtype=np.int32)",
        ),
        *("np.linspace(0, 1)", "np.linspace(0, 1, 7)", "np.linspace(0, 1, num=3, dtype=np.float32)"),
        *("np.eye(4)", "np.eye(2, 3, dtype=np.float32)", "np.identity(3)", "np.eye(10)[np.random.randint(0, 10, 32)]"),
        *(
            "np.tile(square, 2)",
            "np.tile(square, (2, 1, 3))",
            "np.tile(square[:2], (10, 1, 1))",
            "np.tile(images, (2, 1))",
        ),
        *("np.repeat(square, 2)", "np.repeat(square, 2, axis=0)", "np.repeat(images, 3, -1)"),
        *(
            "np.broadcast_to(square, (4, 3, 3)).copy()",
            "np.outer(np.arange(3), np.arange(4))",
            "np.dot(square, square)",
        ),
        *("np.argsort(order)", "np.sort(images)", "np.argsort(images, axis=1)", "np.sort(images, axis=None)"),
        *("np.cumsum(images)", "np.cumsum(images, axis=0)", "np.cumprod(images, 1)"),
        *("np.maximum(images, 0.5)", "np.minimum(images, images[:1])", "np.power(square, 2)"),
        *("np.where(images > 0.5, 1.0, 0.0)", "np.where(images > 0.5, images, 0.0)"),
        *(
            "np.sin(order)",
            "np.cos(images)",
            "np.sin(np.arange(12)[:, None] / np.power(100, np.arange(6)[None, :] / 6))",
        ),
        *("np.vstack([square, square])", "np.vstack([order, order])", "np.hstack([square, square])"),
        *(
            "np.hstack([order, order])",
            "np.column_stack([order, order])",
            "np.vstack([square, square.astype(np.float32)])",
        ),
        *("np.pad(images, ((0, 0), (1, 2), (1, 1), (0, 0)))", "np.pad(square, 1)", "np.pad(square, (1, 2))"),
        *("np.squeeze(images[:1])", "np.squeeze(images[:1], axis=0)", "np.squeeze(images)"),
        *(
            "np.stack(np.meshgrid(np.arange(4), np.arange(5)), -1)",
            "np.meshgrid(order, np.arange(5), indexing='ij')[1]",
        ),
        *("np.random.permutation(12)", "rng.permutation(images)", "np.random.choice(100, size=[32], replace=False)"),
        *("np.random.choice(9, 4)", "np.random.choice([1.0, 2.0], 4)", "np.random.choice(np.arange(3), (2, 2))"),
        *(
            "np.random.beta(0.2, 0.2, size=(8, 1))",
            "np.random.binomial(1, 0.5, (4, 4))",
            "np.random.standard_normal(3)",
        ),
        *("np.random.normal(0, 1, (2, 3))", "np.random.randint(0, 5, 3)", "np.random.uniform(-1, 1, (4, 7))"),
        *("np.random.poisson(3, 4)", "np.random.random((2, 2))", "np.random.exponential(size=3)"),
        *("rng.random((6, 6), dtype=np.float32)", "rng.normal(size=(4, 5))", "rng.integers(0, 5, (3, 1))"),
        *(
            "rng.uniform(0, 2, (2, 3)).astype(np.float32)",
            "old.rand(2, 3)",
            "old.randint(0, 255, (2, 2), dtype=np.uint8)",
        ),
        *("images[np.random.choice(10)]", "images[np.random.permutation(10)[:4]]"),
    ],
)
def test_what_numpy_makes(made: str) -> None:
    agree(f"{HEAD}y = torch.from_numpy({made})")


@pytest.mark.parametrize("drawn", ["np.random.beta(1.0, 1.0)", "rng.random()", "np.random.rand()"])
def test_a_number_that_is_drawn_has_no_axes(drawn: str) -> None:
    agree(f"{HEAD}y = torch.ones(4, 2) * {drawn}")
