"""Workspace classes: what `class` makes, what calling it gives, configuration classes with fields."""

from __future__ import annotations

from trainlint.analysis.attributes import bind, dotted
from trainlint.analysis.modules import REST, is_module
from trainlint.analysis.run import Run, step
from trainlint.analysis.scope import Scope
from trainlint.analysis.values import Class, Const, Ext, Func, Instance, Mapping, Member, Named, Obj, Unknown, Value
from trainlint.syntax import ir

FIELD_BASES = frozenset(
    {
        "typing.NamedTuple",
        "pydantic.BaseModel",
        "pydantic_settings.BaseSettings",
        "pydantic.BaseSettings",
        "msgspec.Struct",
        "attr.s",
        "tap.Tap",
        "simple_parsing.Serializable",
        "transformers.TrainingArguments",
    }
)
ENUMS = ("enum.Enum", "enum.IntEnum", "enum.StrEnum", "enum.Flag", "enum.IntFlag")
# with these bases a member of an enumeration is its value as well
PLAIN_ENUMS = ("enum.IntEnum", "enum.StrEnum", "enum.IntFlag", "builtins.int", "builtins.str", "builtins.float")
FIELD_DECORATORS = frozenset(
    {"dataclass", "dataclasses.dataclass", "attr.s", "attrs.define", "define", "attr.define", "configclass"}
)


def define_class(run: Run, scope: Scope, node: ir.ClassDef) -> Class:
    """The class a `class` statement makes; its body is executed in a scope of its own."""
    from trainlint.analysis.expressions import evaluate
    from trainlint.analysis.statements import execute_block

    # `Generic[T]` and `Dataset[Pair]` extend what stands before the bracket
    bare = [base.value if isinstance(base, ir.Subscript) else base for base in node.bases]
    bases = tuple(evaluate(run, scope, base) for base in bare if not isinstance(base, ir.Star))
    cls = Class(node, scope, scope.file, bases)
    inner = Scope("class", scope.file, scope, scope.function)
    execute_block(run, inner, node.body)
    for name, value in inner.names.items():
        cls.members[name] = method_of(cls, value, inner) if isinstance(value, Func) else value
    if cls.extends(*ENUMS):
        name_members(cls)
    cls.written = written_attributes(node)
    return cls


def method_of(cls: Class, func: Func, body: Scope) -> Func:
    """A function as a method of the class whose body has defined it, with those that a decorator wrapped it around."""
    if func.owner is not None:
        return func
    if func.scope is body:
        # names of the class body are not seen in its methods
        return Func(func.node, cls.scope, func.file, None, cls)
    for name, held in func.scope.names.items() if func.scope.kind == "function" else ():
        if isinstance(held, Func):
            func.scope.names[name] = method_of(cls, held, body) if held.scope is body else held
    return Func(func.node, func.scope, func.file, None, cls)


def name_members(cls: Class) -> None:
    """The class attributes of an enumeration become its members; those that are numbers or texts stay plain values."""
    for name, value in cls.members.items():
        if isinstance(value, Func) or name.startswith("_") or "." in name or cls.extends(*PLAIN_ENUMS):
            continue
        cls.members[name] = Const(Member(cls, name, value), value.origin)


def member_of(cls: Class, args: list[Value]) -> Value:
    """`Class(value)` of an enumeration."""
    wanted = args[0] if len(args) == 1 else None
    for found in members(cls):
        plain = found.value.value if isinstance(found.value, Member) else found
        if found is wanted or (isinstance(wanted, Const) and isinstance(plain, Const) and plain.value == wanted.value):
            return found
    return Unknown(f"{cls.name}(…)")


def members(cls: Class) -> list[Const]:
    """The members of an enumeration in order, as far as they are constants."""
    named = [v for n, v in cls.members.items() if not n.startswith("_") and isinstance(v, Const)]
    return named if cls.extends(*ENUMS) else []


def record_fields(run: Run, cls: Class) -> dict[str, Value] | None:
    """Field → default (Unknown where there is none) of a class that makes named tuples, None for other classes."""
    for base in cls.external_bases():
        if isinstance(base, Obj) and base.kind == "namedtuple":
            return base.attrs["fields"].items if isinstance(base.attrs["fields"], Mapping) else None
    if not cls.extends("typing.NamedTuple"):
        return None
    return {
        name: field_default(run, owner, name, stmt, labelled=False) if stmt.value is not None else Unknown(name)
        for name, stmt, owner in fields_of(cls)
    }


def record(fields: dict[str, Value], args: list[Value], kwargs: dict[str, Value], cls: Class | None) -> Value:
    """The named tuple that calling its class makes; Unknown where the arguments are not all seen."""
    if "*" in kwargs or "**" in kwargs or len(args) > len(fields):
        return Unknown(f"{cls.name}(…)" if cls is not None else "a named tuple")
    given = {**fields, **dict(zip(fields, args, strict=False)), **{k: v for k, v in kwargs.items() if k in fields}}
    return Named(tuple(given), list(given.values()), cls)


def written_attributes(node: ir.ClassDef) -> dict[str, dict[str, list[ir.Stmt]]]:
    """attribute → method → the statements that assign `self.attribute` (nested blocks included), in order."""
    result: dict[str, dict[str, list[ir.Stmt]]] = {}
    for method in node.body:
        if not isinstance(method, ir.FunctionDef) or not method.params:
            continue
        receiver = method.params[0].name
        for target in assigned_targets(method.body):
            if isinstance(target, ir.Attr) and isinstance(target.value, ir.Name) and target.value.id == receiver:
                result.setdefault(target.name, {}).setdefault(method.name, []).append(target.stmt)
    return result


def assigned_targets(block: list[ir.Stmt]) -> list[ir.Expr]:
    """Every assignment target of a block and the blocks inside it (not of nested functions)."""
    result: list[ir.Expr] = []
    stack: list[list[ir.Stmt]] = [block]
    while stack:
        for stmt in stack.pop():
            if isinstance(stmt, ir.Assign):
                for target in stmt.targets:
                    flatten(target, result)
            elif isinstance(stmt, (ir.AugAssign, ir.AnnAssign)):
                flatten(stmt.target, result)
            elif isinstance(stmt, (ir.If, ir.For, ir.While)):
                if isinstance(stmt, ir.For):
                    flatten(stmt.target, result)
                stack += [stmt.body, stmt.orelse]
            elif isinstance(stmt, ir.With):
                for _, bound in stmt.items:
                    if bound is not None:
                        flatten(bound, result)
                stack.append(stmt.body)
            elif isinstance(stmt, ir.Try):
                stack += [stmt.body, stmt.orelse, stmt.final, *(h.body for h in stmt.handlers)]
            elif isinstance(stmt, ir.Match):
                stack += [case.body for case in stmt.cases]
    return result


def flatten(target: ir.Expr, into: list[ir.Expr]) -> None:
    if isinstance(target, ir.Sequence):
        for part in target.elts:
            flatten(part, into)
    elif isinstance(target, ir.Star):
        flatten(target.value, into)
    else:
        into.append(target)


def instantiate(
    run: Run, scope: Scope, cls: Class, args: list[Value], kwargs: dict[str, Value], node: ir.Expr
) -> Value:
    """`Class(*args, **kwargs)`: an Instance whose attributes come from interpreting `__init__`, or from its fields."""
    from trainlint.analysis.calls import call_function

    instance = Instance(cls, step(scope.file, node, f"{cls.name}(…)"))
    instance.args, instance.kwargs = args, kwargs
    instance.depth = run.tick()
    if cls.file.library and not scope.file.library:
        instance.factory = Obj(cls.name, "module", node, args, kwargs)
    if cls.extends(*ENUMS):
        return member_of(cls, args)
    new = cls.find("__new__")
    fields = record_fields(run, cls) if not isinstance(new, Func) else None
    if fields is not None:
        return record(fields, args, kwargs, cls)
    if isinstance(new, Func):
        return Unknown(f"{cls.name}(…)")
    init = cls.find("__init__")
    if isinstance(init, Func):
        instance.setting_up = True
        assuming = run.assuming
        run.assuming = assuming or is_module(instance)
        call_function(run, scope, bind(init, instance), args, kwargs, node)
        run.assuming = assuming
        instance.setting_up = False
        if run.budget < 0:
            instance.attrs[REST] = Unknown("the budget of statements is used up")
        if is_module(instance):
            run.program.note_built(instance)
    elif is_module(instance):
        from trainlint.analysis.calls import inherited_init

        inherited_init(run, scope, instance, args, kwargs, node)
        run.program.note_built(instance)
    elif has_fields(cls):
        fill_fields(run, instance, args, kwargs, labelled=False)
        finish = cls.find("__post_init__")
        if isinstance(finish, Func):
            call_function(run, scope, bind(finish, instance), [], {}, node)
    return instance


def has_fields(cls: Class) -> bool:
    """A dataclass, NamedTuple, pydantic model or the like: class attributes are fields of the constructor."""
    for ancestor in cls.ancestry():
        if any(dotted(d) in FIELD_DECORATORS for d in ancestor.node.decorators):
            return True
    return any(isinstance(base, Ext) and base.name in FIELD_BASES for base in cls.external_bases())


def fields_of(cls: Class) -> list[tuple[str, ir.AnnAssign, Class]]:
    """The fields in order: base classes first."""
    result: dict[str, tuple[str, ir.AnnAssign, Class]] = {}
    for ancestor in reversed(list(cls.ancestry())):
        for stmt in ancestor.node.body:
            if isinstance(stmt, ir.AnnAssign) and isinstance(stmt.target, ir.Name):
                result[stmt.target.id] = (stmt.target.id, stmt, ancestor)
    return list(result.values())


def fill_fields(run: Run, instance: Instance, args: list[Value], kwargs: dict[str, Value], labelled: bool) -> None:
    """Give every field what was passed or its default; `labelled` marks defaults as overridable."""
    rest = list(args)
    hidden = "*" in kwargs or "**" in kwargs
    for name, stmt, owner in fields_of(instance.cls):
        if rest:
            instance.attrs[name] = rest.pop(0)
        elif name in kwargs:
            instance.attrs[name] = kwargs[name]
        elif hidden or stmt.value is None:
            instance.attrs[name] = Unknown(name)
        else:
            instance.attrs[name] = field_default(run, owner, name, stmt, labelled)


def field_default(run: Run, owner: Class, name: str, stmt: ir.AnnAssign, labelled: bool) -> Value:
    """The default of a field, also from `field(default=…)`, `Field(…)`."""
    from trainlint.analysis.expressions import evaluate

    node = stmt.value
    if isinstance(node, ir.Call) and dotted(node).rpartition(".")[2] in ("field", "Field", "ib"):
        given = next((value for key, value in node.keywords if key == "default"), None)
        if given is None and node.args and dotted(node).rpartition(".")[2] == "Field":
            given = node.args[0]
        factory = next((value for key, value in node.keywords if key in ("default_factory", "factory")), None)
        if given is None and factory is not None:
            from trainlint.analysis.calls import call

            return call(run, owner.scope, evaluate(run, owner.scope, factory), [], {}, node)
        if given is None:
            return Unknown(name)
        node = given
    value = evaluate(run, owner.scope, node)
    if isinstance(value, Const) and labelled:
        return Const(value.value, value.origin, f"`{owner.name}.{name}`", value.literal)
    return value


def default_instance(run: Run, cls: Class) -> Instance:
    """The object that methods nobody calls are interpreted on: built with unknown arguments, once per class."""
    if cls.default_instance is not None:
        return cls.default_instance
    instance = cls.default_instance = Instance(cls)
    init = cls.find("__init__")
    if isinstance(init, Func):
        run.program.initialise(run, instance, init)
    elif has_fields(cls):
        with run.silent():
            fill_fields(run, instance, [], {}, labelled=True)
    if run.program.shared is not None:
        run.program.shared.add(instance)
    return instance
