"""Models of transformers that are followed by their shipped sources (`ops/library/transformers`), for memory estimates.

The sources ask here for what is no plain Python: the configuration that a name on the hub stands for, the class that an
Auto class builds, which attention a configuration asks for. Names and configurations are those of `zoo_tables`.
"""

from __future__ import annotations

from typing import Any

from trainlint.analysis.calls import call as invoke
from trainlint.analysis.calls import call_method
from trainlint.analysis.modules import partial_children
from trainlint.analysis.registry import OpCall, op
from trainlint.analysis.values import Class, Const, Ext, Instance, Mapping, Output, Unknown, Value, is_none, truth
from trainlint.ops.arguments import dtype_named
from trainlint.ops.zoo_tables import entry

# arguments of `from_pretrained` that say how weights are read, not what is built
READING = frozenset(
    [
        *("cache_dir", "force_download", "local_files_only", "token", "revision", "use_safetensors", "weights_only"),
        *("ignore_mismatched_sizes", "low_cpu_mem_usage", "trust_remote_code", "use_auth_token", "state_dict"),
        *("return_unused_kwargs", "resume_download", "proxies", "subfolder", "output_loading_info"),
    ]
)
# arguments that put or cut weights in ways that are not followed
OTHER = ("device_map", "quantization_config", "load_in_8bit", "load_in_4bit", "max_memory", "tp_plan")
AUTO = {
    "": ("Model",),
    "ForCausalLM": ("ForCausalLM", "LMHeadModel"),
    "ForSeq2SeqLM": ("ForConditionalGeneration",),
    "WithLMHead": ("LMHeadModel", "ForMaskedLM", "ForConditionalGeneration"),
}


@op("transformers.inside.Output", "transformers.frame.Output")
def output(call: OpCall) -> Value:
    """An output of a model with its parts by name."""
    return Output(dict(call.kwargs))


@op("transformers.inside.attention")
def attention(call: OpCall) -> Value:
    """The function that a configuration asks for: the fused one unless it says otherwise."""
    asked, fused, eager = call.args
    if is_none(asked):
        return fused
    name = asked.value if isinstance(asked, Const) else None
    return {"sdpa": fused, "eager": eager}.get(str(name), Unknown(f"the attention {name or ''}".rstrip()))


@op("transformers.inside.configured")
def configured(call: OpCall) -> Value:
    """`Config.from_pretrained("bert-base-uncased", num_labels=3)`."""
    cls, name = call.args[0], call.const(1, "name")
    found = entry("transformers", name) if isinstance(name, str) else None
    if found is None or not isinstance(cls, Class) or cls.name != f"{found['type']}Config":
        return Unknown(f"the configuration of {name}")
    return configuration(call, cls, found, call.kwargs)


@op("transformers.inside.loaded")
def loaded(call: OpCall) -> Value:
    """`Model.from_pretrained("bert-base-uncased", num_labels=3)`: the model with the configuration of that name."""
    cls, name = call.args[0], call.const(1, "name")
    found = entry("transformers", name) if isinstance(name, str) else None
    if not isinstance(cls, Class):
        return Unknown("a model")
    given = call.kwargs.get("config")
    if (found is None or found["type"] != family(cls)) and not isinstance(given, Instance):
        return Unknown(f"the configuration of {name}")
    return model(call, cls, found, call.kwargs)


@op("transformers.inside.built")
def built(call: OpCall) -> Value:
    """`Model._from_config(config)`."""
    cls = call.args[0]
    if not isinstance(cls, Class) or len(call.args) < 2:
        return Unknown("a model")
    return model(call, cls, None, {"config": call.args[1], **call.kwargs})


@op("transformers.inside.checkpoint")
def checkpoint(call: OpCall) -> Value:
    """Switch checkpointing of the layers of a model on or off."""
    holder, wanted, options = call.args
    reentrant = options.items.get("use_reentrant") if isinstance(options, Mapping) else None
    waiting, seen = [holder], set[int]()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, Instance):
            for name, value in (("gradient_checkpointing", wanted), ("use_reentrant", reentrant)):
                if value is not None and (name in part.attrs or part.cls.find(name) is not None):
                    call.run.touch(part, name)
                    part.attrs[name] = value
        waiting += partial_children(part).values()
    return Const(None)


def family(cls: Class) -> str:
    """`Bert` of `BertForMaskedLM`, by the configuration class that its base names."""
    config = cls.find("config_class")
    return config.name.removesuffix("Config") if isinstance(config, Class) else ""


def model(call: OpCall, cls: Class, found: dict[str, Any] | None, kwargs: dict[str, Value]) -> Value:
    """The model of a class, by the configuration that is given or that of a name on the hub."""
    config = kwargs.get("config")
    rest = {name: value for name, value in kwargs.items() if name not in READING and name not in ("config", "dtype")}
    asked = rest.pop("torch_dtype", kwargs.get("dtype"))
    for name in OTHER:
        value = rest.pop(name, None)
        if value is not None and not is_none(value) and truth(value) is not False:
            return Unknown(f"`{name}`")
    if isinstance(config, Instance):
        for name, value in rest.items():
            call.run.touch(config, name)
            config.attrs["_attn_implementation" if name == "attn_implementation" else name] = value
    else:
        of = cls.find("config_class")
        if found is None or not isinstance(of, Class):
            return Unknown(f"the configuration of {cls.name}")
        config = configuration(call, of, found, rest)
    result = invoke(call.run, call.scope, cls, [config], {}, call.node)
    dtype = found.get("dtype") if found is not None else None
    if asked is not None and not is_none(asked) and not (isinstance(asked, Const) and asked.value == "auto"):
        dtype = dtype_named(asked)
        if dtype is None:
            return Unknown("the dtype of the model")
    if dtype is not None:
        result = call_method(call.run, call.scope, result, "to", [Ext(f"torch.{dtype}")], {}, call.node)
    return result


def configuration(call: OpCall, cls: Class, found: dict[str, Any], kwargs: dict[str, Value]) -> Value:
    """The configuration of a name on the hub with what the program changes."""
    given: dict[str, Value] = {name: Const(value) for name, value in found["given"].items()}
    given |= {name: value for name, value in kwargs.items() if name not in READING}
    return invoke(call.run, call.scope, cls, [], given, call.node)


def automatic(call: OpCall) -> Value | None:
    """`AutoModelFor….from_pretrained(…)`, `.from_config(…)` and `AutoConfig.from_pretrained(…)` where a tape is kept.

    None where the model is not among the shipped sources.
    """
    if call.run.program.tape is None:
        return None
    cls, _, maker = call.name.rpartition(".")
    short = cls.rpartition(".")[2]
    name = call.const(0, "pretrained_model_name_or_path")
    found = entry("transformers", name) if isinstance(name, str) else None
    kwargs = {k: v for k, v in call.kwargs.items() if k not in ("pretrained_model_name_or_path", "config")}
    if short == "AutoConfig":
        of = shipped(call, f"{found['type']}Config") if found is not None else None
        return configuration(call, of, found, kwargs) if of is not None and found is not None else None
    config = call.arg(0, "config") if maker == "from_config" else call.kwargs.get("config")
    kind = config.cls.name.removesuffix("Config") if isinstance(config, Instance) else found["type"] if found else None
    if kind is None or maker not in ("from_pretrained", "from_config") or not short.startswith("AutoModel"):
        return None
    task = short.removeprefix("AutoModel")
    for suffix in AUTO.get(task, (task,)):
        chosen = shipped(call, kind + suffix)
        if chosen is not None:
            return model(call, chosen, found, {**kwargs, "config": config} if config is not None else kwargs)
    return None


def shipped(call: OpCall, name: str) -> Class | None:
    """The class of transformers of that name whose source is shipped."""
    found = call.run.program.external(f"transformers.{name}")
    return found if isinstance(found, Class) else None
