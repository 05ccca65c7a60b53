"""Whole copies of a model that a program holds beside it: averaged weights, a teacher that is not run.

A copy whose forward runs in the loop is one of its models already.
"""

from __future__ import annotations

from collections.abc import Sequence

from trainlint.analysis.facts import Call
from trainlint.analysis.modules import walk
from trainlint.analysis.program import Program
from trainlint.analysis.values import Instance, Obj, Value
from trainlint.memory.timeline import Where

COPIES = frozenset(
    {
        "copy.deepcopy",
        "torch.optim.swa_utils.AveragedModel",
        "timm.utils.ModelEma",
        "timm.utils.ModelEmaV2",
        "timm.utils.ModelEmaV3",
    }
)


def copies(program: Program, models: Sequence[Value]) -> list[tuple[Value, Where]]:
    """The models that were copied whole before the loop, with the line of the copy.

    A copy made inside a loop (the best weights so far) is not among them: how long it lives is not known.
    """
    known = {id(part) for model in models for _, part in walk(model)}
    wholes = {id(whole): whole for model in models for whole in (model, inner(model)) if whole is not None}
    found: list[tuple[Value, Where]] = []
    for call in program.facts:
        if not isinstance(call, Call) or call.name not in COPIES or call.loops:
            continue
        model = call.arg(0, "model")
        # an Obj of another library (`AveragedModel`) is no module here, so its forward does not count it
        if id(model) in wholes and id(call.result) not in known:
            found.append((wholes[id(model)], (call.place.path, call.place.line)))
    return found


def inner(model: Value) -> Value | None:
    """What a wrapper (`DataParallel`) is around."""
    return model.attrs.get("module") if isinstance(model, (Instance, Obj)) else None


def default_dtype(program: Program) -> bool:
    """May parameters and tensors be of a dtype that is not known without saying so?"""
    return program.default_dtype is None
