"""How many processes train together, as the program states it."""

from __future__ import annotations

from trainlint.analysis.facts import Call
from trainlint.analysis.program import Program
from trainlint.analysis.values import Const, Mapping, Seq, Value

# one machine of eight GPUs, where it is not stated
ASSUMED = 8
# the call → position and name of the argument
STATED = {
    "torch.distributed.init_process_group": (3, "world_size"),
    "torch.multiprocessing.spawn": (2, "nprocs"),
    "torch.multiprocessing.start_processes": (2, "nprocs"),
    "torch.distributed.init_device_mesh": (1, "mesh_shape"),
    "torch.distributed.device_mesh.init_device_mesh": (1, "mesh_shape"),
}


def processes_of(program: Program) -> int | None:
    """The number of processes where it is one number that the program writes down; None where it is not known.

    A number that comes from the machine (`torch.cuda.device_count()`, the environment, an option) is not known.
    """
    found = set()
    for call in program.facts:
        if isinstance(call, Call) and call.name in STATED:
            value = call.arg(*STATED[call.name])
            if isinstance(value, Seq) and value.items and len(value.items) == 1:
                value = value.items[0]
            found.add(stated(value))
    found.discard(None)
    return found.pop() if len(found) == 1 else None


def engines(program: Program) -> list[str]:
    """What libraries run the step in ways that are not followed, with what their configuration says."""
    found = []
    for call in program.facts:
        if isinstance(call, Call) and call.name == "deepspeed.initialize":
            config = call.kwargs.get("config", call.kwargs.get("config_params"))
            said = staged(config) if isinstance(config, Mapping) else "whose configuration is not in the program"
            found.append(f"what DeepSpeed ({said}) shares between processes and keeps beside is not followed")
    return found


def staged(config: Mapping) -> str:
    """`ZeRO stage 2, bf16`."""
    zero = config.items.get("zero_optimization")
    stage = zero.items.get("stage", Const(0)) if isinstance(zero, Mapping) else Const(0) if zero is None else None
    number = stage.value if isinstance(stage, Const) else "not known"
    halves = [name for name in ("fp16", "bf16") if isinstance(part := config.items.get(name), Mapping) and on(part)]
    return ", ".join([f"ZeRO stage {number}", *halves])


def on(part: Mapping) -> bool:
    enabled = part.items.get("enabled")
    return isinstance(enabled, Const) and enabled.value is True


def stated(value: Value | None) -> int | None:
    if isinstance(value, Const) and type(value.value) is int and value.value > 0 and not value.default:
        return value.value
    return None
