"""The trust anchor: the same lines interpreted by trainlint and executed by PyTorch must agree.

A case is Python text that ends by binding `y`. `agree` executes it with the real library and interprets it; a case
agrees where

* PyTorch raises exactly where trainlint proves a violated requirement, and
* `y` has the same shape, dtype and device in both (tuples and lists item by item, numbers and strings by value).

Tensors should be small; use `torch.device("meta")` (`meta=True`) where values do not matter.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from memory_workspace import MemoryWorkspace

import trainlint.ops
from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.facts import Violation
from trainlint.analysis.program import Program
from trainlint.analysis.values import Const, Mapping, Obj, Seq, Sym, Unknown, Value
from trainlint.syntax.document import Document

assert trainlint.ops

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
PATH = "/project/case.py"


def executed(code: str, meta: bool = False) -> Any:
    """What the real library makes of the case: the value of `y`, or the exception."""
    names: dict[str, Any] = {}
    try:
        with warnings.catch_warnings(), torch.device("meta" if meta else "cpu"):
            warnings.simplefilter("ignore")
            exec(HEAD + code, names)
    except Exception as error:
        return error
    return names["y"]


def interpreted(code: str) -> tuple[Value, list[Violation]]:
    """What trainlint makes of the case: the abstract value of `y` and the violated requirements."""
    program = Program(PATH, Document(HEAD + code), MemoryWorkspace({}))
    program.interpret()
    value = program.file.scope.names.get("y", Unknown("y is not bound"))
    return value, [fact for fact in program.facts if isinstance(fact, Violation)]


def agree(code: str, *, meta: bool = False, dtype: bool = True) -> None:
    """Assert that both agree on a case. `dtype=False` leaves the dtype out."""
    real = executed(code, meta)
    value, violations = interpreted(code)
    if isinstance(real, Exception):
        assert violations, f"PyTorch raises and trainlint does not see it:\n{code}\n{type(real).__name__}: {real}"
        return
    found = [(v.kind, v.op, {k: repr(n) for k, n in v.names.items()}) for v in violations]
    assert not violations, f"trainlint reports what PyTorch accepts:\n{code}\n{found}"
    problem = difference(real, value, dtype)
    assert problem is None, f"{problem}\n{code}\nabstract: {value!r}"


def sound(code: str, *, meta: bool = False) -> None:
    """Assert only that nothing wrong is said: Unknown is allowed, a violation or a wrong size is not."""
    real = executed(code, meta)
    value, violations = interpreted(code)
    if isinstance(real, Exception):
        return
    assert not violations, f"trainlint reports what PyTorch accepts:\n{code}\n{violations[0].names}"
    if isinstance(value, Array) and isinstance(real, torch.Tensor) and value.shape is not None:
        assert len(value.shape) == real.dim(), f"rank of {value!r} is not that of {tuple(real.shape)}\n{code}"
        for mine, theirs in zip(value.shape, real.shape, strict=True):
            assert dims.same(mine, Const(theirs)) is not False, f"{value!r} is not {tuple(real.shape)}\n{code}"


def difference(real: Any, value: Value, dtype: bool = True) -> str | None:
    """Where the abstract value is not exactly the real one, in words."""
    if isinstance(real, torch.Tensor):
        if not isinstance(value, Array):
            return f"a tensor of shape {tuple(real.shape)}, abstract {value!r}"
        if value.shape is None:
            return f"the shape {tuple(real.shape)} is not known"
        sizes = tuple(size.value if isinstance(size, Const) else dims.text(size) for size in value.shape)
        if sizes != tuple(real.shape):
            return f"shape {tuple(real.shape)}, abstract {sizes}"
        if dtype and value.dtype != str(real.dtype).removeprefix("torch."):
            return f"dtype {real.dtype}, abstract {value.dtype}"
        return None
    if isinstance(real, (tuple, list)):
        if not isinstance(value, Seq) or value.items is None or len(value.items) != len(real):
            return f"{len(real)} items, abstract {value!r}"
        problems = [difference(r, v, dtype) for r, v in zip(real, value.items, strict=True)]
        return next((p for p in problems if p is not None), None)
    if isinstance(real, dict):
        if not isinstance(value, Mapping):
            return f"a dict, abstract {value!r}"
        problems = [difference(r, value.items.get(k, Unknown()), dtype) for k, r in real.items()]
        return next((p for p in problems if p is not None), None)
    if isinstance(real, (bool, int, float, str)) or real is None:
        same = isinstance(value, Const) and value.value == real
        return None if same else f"{real!r}, abstract {value!r}"
    if isinstance(real, torch.dtype):
        return None if repr(value) == str(real) else f"{real}, abstract {value!r}"
    if isinstance(real, torch.nn.Module):
        return None if isinstance(value, Obj) else f"a module, abstract {value!r}"
    return f"{type(real).__name__} is not compared (abstract {value!r})"


def symbolic(code: str, **sizes: int) -> None:
    """Assert that a case with symbols for sizes gives, at the sizes given, what PyTorch gives.

    The names of `sizes` are free names of the case: PyTorch gets the integers, trainlint symbols that stand for them.
    """
    names: dict[str, Any] = dict(sizes)
    exec(HEAD + code, names)
    real = names["y"]
    program = Program(PATH, Document(HEAD + code), MemoryWorkspace({}))
    for name, size in sizes.items():
        program.file.scope.names[name] = dims.symbol(name, value=Const(size))
    program.interpret()
    value = program.file.scope.names["y"]
    violations = [fact for fact in program.facts if isinstance(fact, Violation)]
    assert not violations, f"trainlint reports what PyTorch accepts:\n{code}\n{violations[0].names}"
    assert isinstance(value, Array), f"{value!r}\n{code}"
    assert value.shape is not None, f"{value!r}\n{code}"
    assert any(isinstance(size, Sym) for size in value.shape), f"no symbol is left: {value!r}\n{code}"
    assert tuple(dims.usual(size) for size in value.shape) == tuple(real.shape), f"{value!r}\n{code}"
