"""Where the code around a place catches or expects the error that PyTorch would raise there."""

from __future__ import annotations

from trainlint.syntax import ir

# what PyTorch raises for sizes, dtypes and devices, and the classes above
RAISED = frozenset(
    {
        "AssertionError",
        "BaseException",
        "Exception",
        "IndexError",
        "NotImplementedError",
        "OutOfMemoryError",
        "RuntimeError",
        "TypeError",
        "ValueError",
    }
)


def expects_error(item: ir.Expr) -> bool:
    """`with pytest.raises(…)`, `self.assertRaises(…)`, `suppress(…)`: an error in the block is meant."""
    if not isinstance(item, ir.Call):
        return False
    name = last_name(item.func)
    return name in ("raises", "suppress") or name.startswith("assertRaises")


def catches_errors(handler: ir.Handler) -> bool:
    """Does a handler go on after an error that PyTorch raises? One that ends by raising does not."""
    if handler.body and isinstance(handler.body[-1], ir.Raise):
        return False
    kind = handler.type
    kinds = kind.elts if isinstance(kind, ir.Sequence) else (kind,)
    return any(one is None or last_name(one) in RAISED for one in kinds)


def last_name(expr: object) -> str:
    """`f` of `f`, `a.f`; empty for anything else."""
    if isinstance(expr, ir.Attr):
        return expr.name
    return expr.id if isinstance(expr, ir.Name) else ""
