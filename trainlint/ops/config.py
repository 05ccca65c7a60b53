"""Where configuration values come from: argparse, absl flags, HfArgumentParser, YAML and JSON files."""

from __future__ import annotations

from trainlint.analysis.classes import default_instance
from trainlint.analysis.joins import one_of
from trainlint.analysis.registry import OpCall, alias, kind, method, op
from trainlint.analysis.values import UNSET, Class, Const, Ext, Mapping, Obj, Seq, Sym, Unknown, Value, is_none

kind("parser", "argparse.ArgumentParser", "configargparse.ArgumentParser", "configargparse.ArgParser")
kind("parser", "jsonargparse.ArgumentParser", "argparse.ArgumentDefaultsHelpFormatter")
kind("hf_parser", "transformers.HfArgumentParser", "trl.TrlParser")
alias("argparse.ArgumentParser", "argparse.ArgParser")


def options(parser: Obj) -> Mapping:
    """The namespace that the parser fills, shared by its groups and sub-parsers."""
    found = parser.attrs.get("options")
    if isinstance(found, Mapping):
        return found
    made = Mapping({}, True)
    for parent in parents(parser):
        made.items.update(options(parent).items)
    parser.attrs["options"] = made
    return made


def parents(parser: Obj) -> list[Obj]:
    given = parser.kwargs.get("parents")
    items = given.items if isinstance(given, Seq) and given.items is not None else []
    return [p for p in items if isinstance(p, Obj) and p.kind == "parser"]


@method("parser", "add_argument", "add")
def add_argument(call: OpCall) -> Value | None:
    """`add_argument("-b", "--batch-size", type=int, default=256)`: an option with an overridable default."""
    if not isinstance(call.receiver, Obj):
        return None
    flags = [a.value for a in call.args if isinstance(a, Const) and isinstance(a.value, str)]
    if not flags:
        return Unknown()
    long = next((f for f in flags if f.startswith("--")), flags[0])
    dest = call.kwargs.get("dest")
    name = dest.value if isinstance(dest, Const) and isinstance(dest.value, str) else long.lstrip("-").replace("-", "_")
    options(call.receiver).items[name] = option_value(call, long)
    return Unknown()


def option_value(call: OpCall, flag: str) -> Value:
    default = call.kwargs.get("default")
    action = call.const(99, "action")
    if default is None and action in ("store_true", "store_false"):
        return Const(action == "store_false", call.step(f"`{flag}`"), f"`{flag}`")
    if default is None:
        choices = call.kwargs.get("choices")
        if isinstance(choices, Seq) and choices.items and all(isinstance(c, Const) for c in choices.items):
            return one_of(tuple(choices.items))
        return unset(call, flag)
    if is_none(default):
        return unset(call, flag)
    return overridable(default, flag)


def unset(call: OpCall, flag: str) -> Value:
    """An option without a default: nobody may have given it, unless it is required."""
    value = Unknown(f"`{flag}`", call.step(f"`{flag}`"))
    if flag.startswith("-") and call.const(99, "required") is not True:
        value.promised = UNSET
    return value


def overridable(value: Value, flag: str) -> Value:
    """The value as a default that the command line may replace."""
    if isinstance(value, Const):
        if value.value is None:
            return Unknown(f"`{flag}`", value.origin)
        return Const(value.value, value.origin, f"`{flag}`", value.literal)
    if isinstance(value, Sym):
        return Sym.of(value.poly, value.origin, f"`{flag}`")
    return value if isinstance(value, Unknown) else Unknown(f"`{flag}`", value.origin)


@method("parser", "set_defaults")
def set_defaults(call: OpCall) -> Value | None:
    if isinstance(call.receiver, Obj):
        table = options(call.receiver)
        for name, value in call.kwargs.items():
            if name not in ("*", "**"):
                table.items[name] = overridable(value, f"--{name}")
    return Const(None)


@method("parser", "add_argument_group", "add_mutually_exclusive_group", "add_subparsers", "add_parser")
def group(call: OpCall) -> Value | None:
    """Groups and sub-parsers fill the same namespace."""
    return call.receiver


@method("parser", "parse_args", "parse", "parse_intermixed_args", "get_args")
def parse_args(call: OpCall) -> Value | None:
    """The namespace; the same object each time, so that `args.lr = …` is seen everywhere."""
    if not isinstance(call.receiver, Obj):
        return None
    given = call.arg(0, "args")
    if isinstance(given, Seq) and given.items:
        # an explicit argument list replaces defaults that are not followed here
        return Mapping({}, True)
    return options(call.receiver)


@method("parser", "parse_known_args")
def parse_known_args(call: OpCall) -> Value | None:
    namespace = parse_args(call)
    return Seq("tuple", [namespace if namespace is not None else Unknown(), Unknown()])


@method("parser", "parse_args_into_dataclasses")
@method("hf_parser", "parse_args_into_dataclasses", "parse_args_and_config", "parse_json_file", "parse_yaml_file")
def into_dataclasses(call: OpCall) -> Value | None:
    if not isinstance(call.receiver, Obj):
        return None
    given = call.receiver.arg(0, "dataclass_types")
    items = given.items if isinstance(given, Seq) and given.items is not None else [given]
    made = [defaults_of(call, cls) for cls in items]
    return Seq("tuple", made)


def defaults_of(call: OpCall, cls: Value | None) -> Value:
    """An object of a configuration class with its defaults."""
    if isinstance(cls, Class):
        return default_instance(call.run, cls)
    if isinstance(cls, Ext) and cls.name.endswith("TrainingArguments") and call.run.program.tape is not None:
        return Obj(cls.name, "training_arguments", call.node)
    return Unknown()


@op(
    "absl.flags.DEFINE_float",
    "absl.flags.DEFINE_integer",
    "absl.flags.DEFINE_string",
    "absl.flags.DEFINE_bool",
    "absl.flags.DEFINE_boolean",
    "absl.flags.DEFINE_enum",
)
def define_flag(call: OpCall) -> Value | None:
    name, default = call.const(0, "name"), call.arg(1, "default")
    if isinstance(name, str) and default is not None:
        flags = call.run.program.external("absl.flags.FLAGS")
        table = call.run.program.flags
        table.items[name] = overridable(default, f"--{name}")
        call.run.program.replace_external(flags, table)
    return Unknown()


@op("yaml.safe_load", "yaml.load", "yaml.full_load", "json.load", "tomllib.load", "tomli.load")
def load_file(call: OpCall) -> Value | None:
    """A configuration file of the workspace that is opened by a literal name."""
    source = call.arg(0, "stream")
    name: Value | None = None
    if (isinstance(source, Obj) and source.kind == "file") or (
        isinstance(source, Obj) and source.name.endswith("read")
    ):
        name = source.arg(0, "file")
    return read(call, name)


@op("omegaconf.OmegaConf.load", "toml.load")
def load_named(call: OpCall) -> Value | None:
    return read(call, call.arg(0, "file_"))


def read(call: OpCall, name: Value | None) -> Value | None:
    if isinstance(name, Obj) and name.kind == "file":
        name = name.arg(0, "file")
    if isinstance(name, Const) and isinstance(name.value, str):
        value = call.run.program.imports.data_file(call.scope.file, name.value)
        if value is not None:
            return value
    return Unknown("a configuration file")


@method("file", "read", "read_text")
def read_text(call: OpCall) -> Value | None:
    return call.receiver


@method("file", "open")
def open_path(call: OpCall) -> Value | None:
    return call.receiver


@op("typer.Option", "typer.Argument")
def typer_option(call: OpCall) -> Value | None:
    """The default of a parameter of a command; `...` means that there is none."""
    default = call.arg(0, "default")
    if not isinstance(default, Const) or default.value in (None, ...):
        return Unknown("an option")
    return overridable(default, "an option")
