"""Record what sharded models take in one of two real processes, on the CPU with gloo: bytes from PyTorch's profiler.

    python tools/record_sharding.py

Runs each program of `tests/memory/sharded.py` in two processes and writes `tests/memory/sharding.json`, which the tests
compare trainlint with: the most bytes that were alive in the first process during a call of its `step` when others
were before, and those of the parameters and of the states of the optimizer. What gloo itself allocates is left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "tests" / "memory"
STEPS = 1
MEASURED = 3
# what FSDP sends with: threads of gloo hold the tensors a little longer than a stream of CUDA would
COLLECTIVES = (
    "all_gather_single",
    "reduce_scatter_single",
    "all_gather_into_tensor",
    "reduce_scatter_tensor",
    "all_gather",
)
PATIENCE = 0.01
# the profiler loses sight of a process now and then
TRIES = 3
GLOO = ("c10d::", "gloo:")


def measured(script: str, folder: Path) -> dict[str, int]:
    """The bytes of a script: `peak`, `parameters`, `optimizer`. Raises RuntimeError where it fails again and again."""
    path = folder / "program.py"
    path.write_text(script, encoding="utf-8")
    for _ in range(TRIES):
        done = subprocess.run([sys.executable, __file__, str(path)], capture_output=True, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        if lines:
            found: dict[str, int] = json.loads(lines[-1])
            return found
    raise RuntimeError(done.stderr)


def process(rank: int, path: str, store: str) -> None:
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    for name in COLLECTIVES:
        if hasattr(dist, name):
            setattr(dist, name, patient(getattr(dist, name)))
    dist.init_process_group("gloo", store=dist.FileStore(store, 2), rank=rank, world_size=2)
    run(rank, path)
    dist.destroy_process_group()


def patient(send: Any) -> Any:
    def sent(*args: Any, **kwargs: Any) -> Any:
        result = send(*args, **kwargs)
        time.sleep(PATIENCE)
        return result

    return sent


def run(rank: int, path: str) -> None:
    import torch
    from torch.profiler import ProfilerActivity, profile, record_function

    names: dict[str, Any] = {"__name__": "__main__"}
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        exec(compile(Path(path).read_text(encoding="utf-8"), path, "exec"), names)
        for _ in range(STEPS):
            names["step"]()
        for number in range(MEASURED):
            with record_function(f"measured {number}"):
                names["step"]()
    if rank:
        return
    optimizer = getattr(names["optimizer"], "optim", names["optimizer"])
    states = [value for state in optimizer.state.values() for value in state.values()]
    found = {
        # what a thread of gloo gives back late may be in one of them
        "peak": min(filter(None, peaks(profiler.profiler.kineto_results.experimental_event_tree()))),
        "parameters": sum(map(bytes_of, names["net"].parameters())),
        "optimizer": sum(bytes_of(value) for value in states if isinstance(value, torch.Tensor) and value.dim()),
    }
    print(json.dumps(found), flush=True)


def bytes_of(tensor: Any) -> int:
    """Of a sharded tensor, those of the part that is here."""
    part = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return int(part.numel() * part.element_size())


def peaks(roots: Any) -> list[int]:
    """The highest sum of what was alive in each of the measured steps, without what gloo takes."""
    found: list[tuple[int, int, int, bool]] = []
    spans: dict[str, tuple[int, int]] = {}
    waiting = [(event, False, False) for event in roots]
    while waiting:
        event, inside, reducing = waiting.pop()
        name = event.name
        reducing = reducing or "reduce" in name or "post_backward" in name
        # gloo reduces a copy
        inside = inside or name.startswith(GLOO) or (reducing and name == "aten::clone")
        if name == "[memory]":
            fields = event.extra_fields
            found.append((event.start_time_ns, fields.ptr, fields.alloc_size, inside))
        elif name.startswith("measured"):
            spans[name] = (event.start_time_ns, event.end_time_ns)
        waiting += [(child, inside, reducing) for child in event.children]
    own: set[int] = set()
    alive, highest = 0, dict.fromkeys(spans, 0)
    for moment, pointer, size, inside in sorted(found):
        if size > 0 and inside:
            own.add(pointer)
        elif size < 0 and pointer in own:
            own.discard(pointer)
        else:
            own.discard(pointer)
            alive += size
            for name, (start, end) in spans.items():
                if start <= moment <= end:
                    highest[name] = max(highest[name], alive)
    return list(highest.values())


def main() -> None:
    if len(sys.argv) > 1:
        import torch.multiprocessing as mp

        with tempfile.TemporaryDirectory() as folder:
            mp.spawn(process, (sys.argv[1], os.path.join(folder, "store")), 2)
        return
    sys.path.insert(0, str(FOLDER))
    import sharded
    import torch

    with tempfile.TemporaryDirectory() as folder:
        steps = {name: measured(script, Path(folder)) for name, script in sharded.programs().items()}
    result = {"torch": torch.__version__, "steps": steps}
    (FOLDER / "sharding.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
