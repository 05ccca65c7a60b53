"""Record what training frameworks do around a step: the order of batch, forward, zero_grad, backward and step.

Runs the scripts of `tests/memory/frameworks` with the real libraries, on the CPU, in an environment that has them:

    python -m venv frameworks && frameworks/bin/pip install torch lightning accelerate transformers
    frameworks/bin/python tools/record_frameworks.py

It writes `tests/memory/frameworks.json`, which the tests compare trainlint with: for each script the events of six
batches and, after the name of an event, `+` where the trained model has gradients at that moment.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "tests" / "memory" / "frameworks"
BATCHES = 6


def watch(events: list[str]) -> None:
    """Hook into torch: every event of a training step is added to the list."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader

    trained: list[nn.Parameter] = []

    def seen(name: str) -> None:
        events.append(name + ("+" if any(p.grad is not None for p in trained) else ""))

    first_step, first_init = torch.optim.Optimizer.profile_hook_step, torch.optim.Optimizer.__init__

    def built(self: Any, params: Any, defaults: Any) -> None:
        first_init(self, params, defaults)
        trained.extend(p for group in self.param_groups for p in group["params"])

    def profiled(function: Any) -> Any:
        inner = first_step(function)

        def stepped(self: Any, closure: Any = None, **kwargs: Any) -> Any:
            if closure is None:
                seen("step")
                return inner(self, **kwargs)

            def then() -> Any:
                result = closure()
                seen("step")
                return result

            return inner(self, then, **kwargs)

        stepped.hooked = True  # type: ignore[attr-defined]
        return stepped

    torch.optim.Optimizer.__init__ = built  # type: ignore[method-assign]
    torch.optim.Optimizer.profile_hook_step = staticmethod(profiled)  # type: ignore[assignment,method-assign]
    cleared, module_cleared = torch.optim.Optimizer.zero_grad, nn.Module.zero_grad
    backward, called, iterated = torch.Tensor.backward, nn.Module.__call__, DataLoader.__iter__

    def zero_grad(self: Any, *args: Any, **kwargs: Any) -> None:
        seen("zero_grad")
        cleared(self, *args, **kwargs)

    def module_zero_grad(self: Any, *args: Any, **kwargs: Any) -> None:
        seen("zero_grad")
        module_cleared(self, *args, **kwargs)

    def backwarded(self: Any, *args: Any, **kwargs: Any) -> None:
        seen("backward")
        backward(self, *args, **kwargs)

    def forwarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(self, nn.Linear):
            seen("forward")
        return called(self, *args, **kwargs)

    def handed_out(self: Any) -> Any:
        for batch in iterated(self):
            seen("batch")
            yield batch

    torch.optim.Optimizer.zero_grad = zero_grad  # type: ignore[method-assign]
    nn.Module.zero_grad = module_zero_grad  # type: ignore[method-assign]
    torch.Tensor.backward = backwarded  # type: ignore[method-assign]
    nn.Module.__call__ = forwarded
    DataLoader.__iter__ = handed_out  # type: ignore[method-assign]


def record(script: Path) -> list[str]:
    """The events of a script."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, os.path.abspath(__file__), str(script)],
            cwd=folder, capture_output=True, text=True, check=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        )  # fmt: skip
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    if len(sys.argv) > 1:
        events: list[str] = []
        watch(events)
        exec(compile(Path(sys.argv[1]).read_text(encoding="utf-8"), sys.argv[1], "exec"), {"__name__": "__main__"})
        print(json.dumps(events))
        return
    libraries = ("torch", "lightning", "accelerate", "transformers")
    result: dict[str, Any] = {"versions": {name: importlib.metadata.version(name) for name in libraries}}
    result["events"] = {script.stem: record(script) for script in sorted(FOLDER.glob("*.py"))}
    path = FOLDER.parent / "frameworks.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
