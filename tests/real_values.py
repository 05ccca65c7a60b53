"""Abstract values beside those of the real program: equal as plain data, or covering them."""

from __future__ import annotations

import enum
import sys
import types
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from memory_workspace import MemoryWorkspace
from torch import nn

import trainlint.ops
from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.facts import Violation
from trainlint.analysis.modules import is_module, unknown_parts, walk
from trainlint.analysis.program import Program
from trainlint.analysis.values import (
    Class,
    Const,
    Ext,
    Func,
    Instance,
    Mapping,
    Obj,
    OneOf,
    Range,
    Seq,
    Sym,
    Unknown,
    Value,
)

assert trainlint.ops

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
UNKNOWN = "?"


def interpret(code: str, files: dict[str, str] | None = None, path: str = "case.py") -> Program:
    """The interpreted program of `code`, which stands beside other files of a workspace."""
    workspace = MemoryWorkspace({**(files or {}), path: code})
    program = Program(f"{workspace.root}/{path}", workspace.document(f"{workspace.root}/{path}"), workspace)
    program.interpret()
    return program


def violations(program: Program) -> list[Violation]:
    return [fact for fact in program.facts if isinstance(fact, Violation)]


def execute(code: str, **names: Any) -> dict[str, Any]:
    """The names that the real program binds; tensors are made on the meta device."""
    module = types.ModuleType("case")
    module.__dict__.update(names)
    # dataclasses look their module up
    sys.modules["case"] = module
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(code, module.__dict__)
    finally:
        del sys.modules["case"]
    return module.__dict__


def plain_abstract(value: Value) -> Any:
    """An abstract value as plain data: sizes of tensors, classes of modules by their names; `?` where it is unknown."""
    if isinstance(value, Const):
        return value.value
    if isinstance(value, Array):
        shape = value.shape
        return ("tensor", UNKNOWN if shape is None else tuple(dims.text(s) for s in shape))
    if isinstance(value, Seq):
        return [plain_abstract(v) for v in value.items] if value.items is not None else UNKNOWN
    if isinstance(value, Mapping):
        return {k: plain_abstract(v) for k, v in value.items.items()} if not value.open else UNKNOWN
    if is_module(value) or (isinstance(value, Obj) and value.kind == "loss"):
        return UNKNOWN if unknown_parts(value) else {name: class_name(m) for name, m in walk(value)}
    if isinstance(value, (Class, Func)):
        return value.name
    if isinstance(value, Ext):
        return value.name.rpartition(".")[2]
    return UNKNOWN


def class_name(module: Value) -> str:
    """The name of the class of an abstract module."""
    return module.cls.name if isinstance(module, Instance) else module.name.rpartition(".")[2]  # type: ignore[attr-defined]


def named_modules(module: nn.Module, name: str, seen: set[int]) -> Iterator[tuple[str, str]]:
    """The modules by dotted name with their classes; what a layer of torch.nn has inside is its own affair."""
    if id(module) in seen:
        return
    seen.add(id(module))
    yield name, type(module).__name__
    if is_layer(module):
        return
    for child, inner in module.named_children():
        yield from named_modules(inner, f"{name}.{child}" if name else child, seen)


def is_layer(module: nn.Module) -> bool:
    """Is it of a class of torch.nn that is no container?"""
    plain = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
    return type(module).__module__.startswith("torch.nn") and not isinstance(module, plain)


def plain_real(value: Any) -> Any:
    """A value of the real program in the same form."""
    if isinstance(value, torch.Tensor):
        return ("tensor", tuple(str(size) for size in value.shape))
    if isinstance(value, nn.Module):
        return dict(named_modules(value, "", set()))
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (list, tuple)):
        return [plain_real(v) for v in value]
    if isinstance(value, dict):
        return {k: plain_real(v) for k, v in value.items()}
    return getattr(value, "__name__", value)


def same(code: str, name: str = "y") -> None:
    """Assert that a program that binds `y` binds it to the same in the interpreter and in Python."""
    program = interpret(HEAD + code)
    value = program.file.scope.names.get(name, Unknown())
    found = [(v.kind, v.op, {k: repr(n) for k, n in v.names.items()}) for v in violations(program)]
    assert not found, f"reports what PyTorch accepts: {found}\n{code}"
    expected = plain_real(execute(HEAD + code)[name])
    assert plain_abstract(value) == expected, f"{value!r} is not {expected!r}\n{code}"


def covers(value: Value | None, real: Any, depth: int = 5) -> bool:
    """May an abstract value be this real one? Compared as deep as `depth`."""
    if value is None or not depth or isinstance(value, Unknown):
        return True
    if isinstance(value, OneOf):
        return any(covers(v, real, depth) for v in value.values)
    if isinstance(value, Const):
        return type(value.value) is type(real) and value.value == real
    if isinstance(value, (Range, Sym)):
        return isinstance(real, (int, float)) and (isinstance(value, Sym) or value.low <= real <= value.high)
    if isinstance(value, Seq):
        if not isinstance(real, (list, tuple)):
            return False
        if value.items is None:
            return value.elem is None or all(covers(value.elem, item, depth - 1) for item in real)
        return len(value.items) == len(real) and all(
            covers(v, item, depth - 1) for v, item in zip(value.items, real, strict=True)
        )
    if isinstance(value, Mapping):
        if not isinstance(real, dict) or not (value.open or value.items.keys() == real.keys()):
            return False
        return value.items.keys() <= real.keys() and all(covers(v, real[k], depth - 1) for k, v in value.items.items())
    if isinstance(value, Instance):
        return value.cls.name == type(real).__name__
    return True
