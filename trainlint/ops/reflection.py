"""Builtins that ask what a value is: `isinstance`, `callable`, `hasattr`, `getattr`."""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.attributes import get_attribute, written_by
from trainlint.analysis.joins import one_of
from trainlint.analysis.modules import is_module, is_module_class
from trainlint.analysis.registry import OpCall, is_known, op
from trainlint.analysis.run import Run
from trainlint.analysis.values import (
    Class,
    Const,
    Ext,
    Func,
    Instance,
    Mapping,
    Obj,
    OneOf,
    Seq,
    Sym,
    Unknown,
    Value,
)


@op("torch.is_tensor")
def is_tensor(call: OpCall) -> Value | None:
    """`isinstance(x, torch.Tensor)`."""
    answer = belongs(call.args[0], Ext("torch.Tensor")) if len(call.args) == 1 else None
    return Unknown() if answer is None else Const(answer)


@op("builtins.isinstance")
def is_instance(call: OpCall) -> Value | None:
    """True or False where the classes tell; a default keeps its name, since another value may be given."""
    if len(call.args) != 2:
        return None
    value, wanted = call.args
    classes = wanted.items if isinstance(wanted, Seq) and wanted.items is not None else [wanted]
    answers = [belongs(value, cls) for cls in classes]
    default = value.default if isinstance(value, Const) else None
    if True in answers:
        return Const(True, None, default)
    return Unknown() if None in answers else Const(False, None, default)


_TYPES: dict[str, tuple[type, ...]] = {
    "builtins.int": (int,), "builtins.float": (float,), "builtins.str": (str,), "builtins.bool": (bool,),
    "builtins.bytes": (bytes,), "numbers.Number": (int, float), "numbers.Integral": (int,),
    "builtins.complex": (complex,), "numbers.Real": (int, float),
}  # fmt: skip
_SEQUENCES = {
    "builtins.list": ("list",), "builtins.tuple": ("tuple", "named"), "builtins.set": ("set",),
    "collections.abc.Sequence": ("list", "tuple", "named"),
    "collections.abc.Iterable": ("list", "tuple", "set", "named"),
    "typing.Iterable": ("list", "tuple", "set"), "typing.Sequence": ("list", "tuple"),
    "builtins.range": ("range",), "collections.Iterable": ("list", "tuple", "set"),
}  # fmt: skip
_CALLABLES = frozenset({"builtins.type", "types.FunctionType", "types.LambdaType", "functools.partial"})
_TENSORS = ("torch.Tensor", "torch.FloatTensor", "torch.nn.Parameter")


def belongs(value: Value, cls: Value) -> bool | None:
    """Is a value an object of the class?"""
    if isinstance(value, OneOf):
        answers = {belongs(v, cls) for v in value.values}
        return answers.pop() if len(answers) == 1 else None
    if isinstance(cls, Class):
        if isinstance(value, Instance):
            return True if cls in list(value.cls.ancestry()) else (False if value.cls.closed else None)
        if isinstance(value, Obj):
            # a layer of torch is of none of the program's classes
            return False if value.kind == "module" and value.name.startswith("torch.nn.") else None
        return None if isinstance(value, Unknown) else False
    if not isinstance(cls, Ext) or isinstance(value, Unknown):
        return None
    name = cls.name
    if name in ("typing.Callable", "collections.abc.Callable"):
        return may_be_called(value)
    if name in _CALLABLES:
        return is_callable_of(value, name)
    if isinstance(value, Const):
        known = name in _TYPES or name in _SEQUENCES or name == "builtins.dict" or name.startswith("torch.")
        return isinstance(value.value, _TYPES.get(name, ())) if known else None
    if isinstance(value, Seq):
        if name in _SEQUENCES:
            return value.kind in _SEQUENCES[name]
        return False if name in _TYPES or name.startswith("torch.") or name == "builtins.dict" else None
    if isinstance(value, Mapping):
        return (
            name in ("builtins.dict", "collections.abc.Mapping")
            if name in ("builtins.dict", *_TENSORS, *_TYPES, *_SEQUENCES)
            else None
        )
    if isinstance(value, Array):
        return True if name == "torch.Tensor" and value.lib == "torch" else False if name in _TYPES else None
    if isinstance(value, Sym):
        return True if name == "builtins.int" else False if name in _TYPES or name in _SEQUENCES else None
    return object_belongs(value, name)


def is_callable_of(value: Value, name: str) -> bool | None:
    """Is a value a class, a function or a call with arguments bound, whichever `name` asks for?"""
    if isinstance(value, Ext):
        # a class of a library, by its capital letter; what is written small may be either
        made = value.name.rpartition(".")[2][:1].isupper()
        return name == "builtins.type" if made else False if name == "functools.partial" else None
    if isinstance(value, Class):
        return name == "builtins.type"
    if isinstance(value, Func):
        return name.startswith("types.")
    return isinstance(value, Obj) and value.name == name


def object_belongs(value: Value, name: str) -> bool | None:
    """Is an object of a library or workspace class one of the external class?"""
    if name in _TYPES or name in _SEQUENCES:
        return False
    if isinstance(value, Obj) and value.kind == "parameter" and name in ("torch.Tensor", "torch.nn.Parameter"):
        return True
    if name == "torch.nn.Module":
        return True if is_module(value) or (isinstance(value, Obj) and value.kind == "loss") else None
    if isinstance(value, Instance):
        if value.cls.extends(name):
            return True
        return False if value.cls.closed and is_module_class(value.cls) and name.startswith("torch.nn.") else None
    if isinstance(value, Obj) and value.name.startswith("torch.nn."):
        return layer_extends(value.name, name)
    return None


def layer_extends(layer: str, name: str) -> bool | None:
    """Is a layer of `torch.nn` the class of that name, or does it extend it? Only private classes have layers below."""
    if layer == name:
        return True
    plain = "torch.nn.modules" not in name and not name.rpartition(".")[2].startswith("_")
    return False if name.startswith("torch.nn.") and plain else None


@op("builtins.issubclass")
def is_subclass(call: OpCall) -> Value | None:
    one, other = call.args if len(call.args) == 2 else (None, None)
    if isinstance(one, Class) and isinstance(other, Class):
        return Const(other in list(one.ancestry()))
    if isinstance(one, Class) and isinstance(other, Ext):
        above = [base.name for base in one.external_bases() if isinstance(base, Ext)]
        plain = one.closed and set(above) <= {"torch.nn.Module", "builtins.object"}
        return Const(True) if other.name in above else Const(False) if plain else Unknown()
    if isinstance(one, Ext) and isinstance(other, Class):
        # no library extends a class of the program
        return Const(False)
    if isinstance(one, Ext) and isinstance(other, Ext) and one.name.startswith("torch.nn."):
        answer = other.name == "torch.nn.Module" or layer_extends(one.name, other.name)
        return Const(answer) if answer is not None else Unknown()
    return Unknown()


@op("builtins.callable")
def is_callable(call: OpCall) -> Value | None:
    answer = may_be_called(call.args[0]) if call.args else None
    return Const(answer) if answer is not None else Unknown()


def may_be_called(value: Value) -> bool | None:
    """Can a value be called?"""
    if (
        isinstance(value, (Func, Class, Ext))
        or is_module(value)
        or (isinstance(value, Obj) and value.kind == "partial")
    ):
        return True
    return False if isinstance(value, (Const, Seq, Mapping, Sym, Array)) else None


@op("builtins.type")
def type_(call: OpCall) -> Value | None:
    value = call.args[0] if len(call.args) == 1 else None
    if isinstance(value, Instance):
        return value.cls
    if isinstance(value, Obj):
        return call.run.program.external(value.name)
    if isinstance(value, Const) and type(value.value) in (int, float, str, bool):
        return call.run.program.external(f"builtins.{type(value.value).__name__}")
    if isinstance(value, Seq) and value.kind in ("list", "tuple", "set"):
        return call.run.program.external(f"builtins.{value.kind}")
    return Unknown()


@op("builtins.hasattr")
def has_attribute(call: OpCall) -> Value | None:
    holder, name = call.args[0] if call.args else None, call.const(1, "name")
    if not isinstance(name, str):
        return Unknown()
    if isinstance(holder, Instance):
        found = holder.attrs.get(name)
        if (found is not None and not isinstance(found, Unknown)) or holder.cls.find(name) is not None:
            return Const(True)
        return Const(False) if lacks(call.run, holder, name) else Unknown()
    if isinstance(holder, Mapping) and name in holder.items:
        return Const(True)
    if isinstance(holder, Ext) and is_known(f"{holder.name}.{name}"):
        return Const(True)
    return Unknown()


def lacks(run: Run, holder: Value, name: str) -> bool:
    """Has an object certainly no attribute of a name?

    So where nothing in a shipped source sets it; and where memory is counted and what the program did so far has not
    (`if stride != 1: self.shortcut = …`).
    """
    if not isinstance(holder, Instance) or name in REGISTERED:
        return False
    found = holder.attrs.get(name)
    if not holder.cls.file.library:
        done = run.program.tape is not None and holder is not holder.cls.default_instance and not holder.setting_up
        return done and found is None and holder.cls.find(name) is None and plain_bases(holder.cls)
    if found is not None and not isinstance(found, Unknown):
        return False
    return holder.cls.find(name) is None and not written_by(holder.cls, name)


def plain_bases(cls: Class) -> bool:
    """Has a class no attributes but those that the program gives it and those that every module has?"""
    return all(isinstance(base, Ext) and base.name in PLAIN_BASES for base in cls.external_bases())


PLAIN_BASES = frozenset({"torch.nn.Module", "builtins.object", "abc.ABC"})
# what every module has
REGISTERED = frozenset(
    {
        *("training", "forward", "parameters", "modules", "children", "buffers", "named_parameters", "named_modules"),
        *("named_children", "named_buffers", "state_dict", "load_state_dict", "add_module", "register_module"),
        *("register_buffer", "register_parameter", "register_forward_hook", "register_forward_pre_hook"),
        *("register_full_backward_hook", "get_submodule", "get_parameter", "get_buffer", "apply", "to", "cuda", "cpu"),
        *("type", "float", "double", "half", "bfloat16", "train", "eval", "requires_grad_", "zero_grad", "compile"),
        *("share_memory", "extra_repr", "to_empty", "dump_patches", "_modules", "_parameters", "_buffers"),
        *("__class__", "__dict__", "__module__", "__doc__", "__call__", "__init__"),
    }
)


@op("builtins.dir")
def names_of(call: OpCall) -> Value | None:
    """The names in a module of a library, of which those in the tables are known."""
    holder = call.args[0] if call.args else None
    return Obj(call.name, "names", call.node, [holder]) if isinstance(holder, Ext) else Unknown()


@op("builtins.getattr")
def getattr_(call: OpCall) -> Value | None:
    name, given = call.const(1, "name"), call.arg(1, "name")
    if isinstance(given, OneOf) and len(call.args) == 2:
        known = [v.value for v in given.values if isinstance(v, Const) and isinstance(v.value, str)]
        if len(known) == len(given.values):
            return one_of(tuple(get_attribute(call.run, call.scope, call.args[0], k, call.node) for k in known))
    if not call.args or not isinstance(name, str):
        return Unknown()
    holder = call.args[0]
    if len(call.args) == 3 and lacks(call.run, holder, name):
        return call.args[2]
    found = get_attribute(call.run, call.scope, holder, name, call.node)
    if len(call.args) == 3 and isinstance(found, Unknown) and not isinstance(holder, Unknown):
        return Unknown(name)
    return found


@op("torch.jit.is_scripting", "torch.jit.is_tracing", "torch.onnx.is_in_onnx_export")
@op("torch.compiler.is_compiling", "torch.compiler.is_exporting", "torch.compiler.is_dynamo_compiling")
def translated(call: OpCall) -> Value | None:
    """Is the model being translated? Not in a step whose memory is counted."""
    return Const(False) if call.run.program.tape is not None else None
