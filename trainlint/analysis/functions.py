"""Parameters and decorators of workspace functions."""

from __future__ import annotations

from trainlint.analysis.attributes import dotted
from trainlint.analysis.autocast import autocast_of
from trainlint.analysis.joins import one_of
from trainlint.analysis.run import Run
from trainlint.analysis.scope import Scope
from trainlint.analysis.values import Class, Const, Func, Mapping, Seq, Unknown, Value
from trainlint.syntax import ir


def bind_parameters(run: Run, inner: Scope, func: Func, args: list[Value], kwargs: dict[str, Value]) -> None:
    """Bind the arguments of one call; what was not passed gets its default, evaluated in the function's own scope."""
    rest = list(args)
    named = dict(kwargs)
    hidden = "*" in named or "**" in named
    named.pop("*", None)
    named.pop("**", None)
    for param in func.node.params:
        if param.kind == "star":
            inner.names[param.name] = Seq("tuple", rest) if not hidden else Seq("tuple", None, one_of(tuple(rest)))
            rest = []
        elif param.kind == "starstar":
            inner.names[param.name] = Mapping(dict(named), hidden)
        elif param.kind != "keyword" and rest:
            inner.names[param.name] = rest.pop(0)
        elif param.name in named:
            inner.names[param.name] = named.pop(param.name)
        elif hidden and run.by_default and param.default is not None:
            # nobody was seen to pass it
            inner.names[param.name] = default_of(run, func, param, overridable=True)
        elif hidden:
            inner.names[param.name] = Unknown(param.name)
        elif param.default is None and param.name in (options := option_defaults(run, func)):
            # `main()` of click takes what the command line says
            inner.names[param.name] = options[param.name]
        else:
            inner.names[param.name] = default_of(run, func, param, overridable=False)


def default_of(run: Run, func: Func, param: ir.Param, overridable: bool) -> Value:
    """The default of a parameter. `overridable`: nobody was seen to call the function, so the value may be replaced."""
    from trainlint.analysis.expressions import evaluate

    if param.default is None:
        return Unknown(param.name, param=True)
    value = evaluate(run, func.scope, param.default)
    if isinstance(value, Const) and overridable:
        # a None default is the caller's to replace
        if value.value is None and not run.by_default:
            return Unknown(param.name, param=True)
        return Const(value.value, value.origin, f"`{param.name}` of `{func.name}`", value.literal)
    return value


def free_parameters(run: Run, inner: Scope, func: Func, receiver: Value | None) -> None:
    """Bind the parameters of an entry that nobody was seen to call: unknowns, and defaults that may be overridden."""
    options = option_defaults(run, func)
    for index, param in enumerate(func.node.params):
        if index == 0 and receiver is not None and param.kind in ("normal", "positional"):
            inner.names[param.name] = receiver
        elif param.kind == "star":
            inner.names[param.name] = Seq("tuple", None, Unknown(param.name))
        elif param.kind == "starstar":
            inner.names[param.name] = Mapping({}, True)
        elif param.name in options:
            inner.names[param.name] = options[param.name]
        else:
            inner.names[param.name] = annotated(run, func, param, default_of(run, func, param, overridable=True))


def annotated(run: Run, func: Func, param: ir.Param, value: Value) -> Value:
    """An unknown parameter promises what its annotation says (`nn.Module`, `optim.Optimizer`)."""
    if param.annotation is None or not isinstance(value, Unknown):
        return value
    name = dotted(param.annotation)
    if run.by_default and name:
        config = configuration(run, func, param.annotation)
        if config is not None:
            return config
    if isinstance(param.annotation, ir.Const) and isinstance(param.annotation.value, str):
        name = param.annotation.value
    last = name.rpartition(".")[2]
    if last == "Module":
        value.promised = "module"
    elif last in ("Optimizer", "SGD", "Adam", "AdamW"):
        value.promised = "optimizer"
    elif last == "DataLoader":
        value.promised = "loader"
    elif last in ("LRScheduler", "_LRScheduler"):
        value.promised = "scheduler"
    return value


def configuration(run: Run, func: Func, annotation: ir.Expr) -> Value | None:
    """The defaults of a configuration class of the workspace that a parameter is annotated with."""
    from trainlint.analysis.classes import default_instance, has_fields
    from trainlint.analysis.expressions import evaluate

    with run.silent():
        cls = evaluate(run, func.scope, annotation)
    return default_instance(run, cls) if isinstance(cls, Class) and has_fields(cls) else None


# decorators of click and typer that give a parameter its value
OPTION_DECORATORS = frozenset({"click.option", "option", "click.argument"})


def option_defaults(run: Run, func: Func) -> dict[str, Value]:
    """Parameter values that `@click.option("--lr", default=0.1)` and `@hydra.main(config_name=…)` give."""
    from trainlint.analysis.expressions import evaluate

    result: dict[str, Value] = {}
    if isinstance(func.node, ir.Lambda):
        return result
    for decorator in func.node.decorators:
        if isinstance(decorator, ir.Call) and dotted(decorator) == "hydra.main" and func.node.params:
            composed = hydra_config(run, func, decorator)
            if composed is not None:
                result[func.node.params[0].name] = composed
        if not isinstance(decorator, ir.Call) or dotted(decorator) not in OPTION_DECORATORS:
            continue
        flags = [a.value for a in decorator.args if isinstance(a, ir.Const) and isinstance(a.value, str)]
        default = next((node for name, node in decorator.keywords if name == "default"), None)
        if not flags:
            continue
        long = next((flag for flag in flags if flag.startswith("--")), flags[0])
        plain = [flag for flag in flags if not flag.startswith("-")]
        name = (plain[-1] if plain else long.lstrip("-").partition("/")[0]).replace("-", "_")
        if default is None:
            result[name] = Unknown(name, param=True)
            continue
        value = evaluate(run, func.scope, default)
        if isinstance(value, Const) and value.value is not None:
            value = Const(value.value, value.origin, f"`{long}`", value.literal)
        result[name] = value
    return result


def hydra_config(run: Run, func: Func, decorator: ir.Call) -> Value | None:
    """The file that `@hydra.main(config_path="conf", config_name="config")` names, with the groups of its defaults.

    None where it is not in the workspace. What is not in these files stays unknown, as does a key of both.
    """
    given = dict(zip(("config_path", "config_name"), decorator.args, strict=False))
    given.update((name, node) for name, node in decorator.keywords if name is not None)
    folder, name = (
        node.value if isinstance(node := given.get(key), ir.Const) and isinstance(node.value, str) else None
        for key in ("config_path", "config_name")
    )
    imports = run.program.imports
    base = f"{folder}/" if folder else ""
    found = imports.data_file(func.file, f"{base}{(name or '').removesuffix('.yaml')}.yaml") if name else None
    if not isinstance(found, Mapping):
        return None
    result = Mapping({**found.items}, True, found.origin)
    groups = result.items.pop("defaults", None)
    for entry in groups.items or () if isinstance(groups, Seq) else ():
        for group, option in entry.items.items() if isinstance(entry, Mapping) else ():
            chosen = option.value if isinstance(option, Const) else None
            inner = imports.data_file(func.file, f"{base}{group}/{chosen}.yaml")
            both = group in result.items
            result.items[group] = inner if inner is not None and not both else Unknown(str(group))
    return result


def decorator_context(run: Run, func: Func) -> None:
    """`@torch.no_grad()`, `@torch.inference_mode()` and `@torch.autocast(…)` hold for the whole body."""
    from trainlint.analysis.expressions import evaluate
    from trainlint.analysis.values import Ext

    if isinstance(func.node, ir.Lambda):
        return
    for decorator in func.node.decorators:
        node = decorator.func if isinstance(decorator, ir.Call) else decorator
        name = dotted(node).rpartition(".")[2]
        if name == "autocast":
            with run.silent():
                run.autocast = autocast_of(evaluate(run, func.scope, decorator), run.autocast, run.tick())
        if name not in ("no_grad", "inference_mode"):
            continue
        with run.silent():
            value = evaluate(run, func.scope, node)
        # a workspace decorator of that name may do the same: gradients are then not proved to be on
        if not isinstance(value, Ext) or value.name in ("torch.no_grad", "torch.inference_mode"):
            run.grad = False
