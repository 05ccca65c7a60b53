"""The model is moved to its device after the optimizer took its parameters.

## What it does
Reports `model.cuda()` or `model.to(device)` behind `optim.SGD(model.parameters())`, before the first step.

## Why it matters
PyTorch asks to move the model first: a move may replace the parameters (it does on XLA and after
`torch.__future__.set_overwrite_module_params_on_conversion`), and the optimizer then updates the old ones.

## Example
```py
import torch
from torch import nn

net = nn.Linear(10, 2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
net.cuda()  # warning: [optimizer-before-move]
```
Use instead: move the model, then build the optimizer.

## When it stays silent
Models that were on a device before; moves to the CPU; moves after a step of the optimizer; casts.
"""

from trainlint.rules.api import Because, Event, Obj, Value, WholeProgram, finding, on_cpu, rule, same_thing


@rule("optimizer-before-move", code="DV001", family="device", level="warning", since="0.1")
def check(program: WholeProgram):
    for trace in program.traces:
        built: list[Event] = []
        moved: list[Value] = []
        for event in trace.events:
            if event.kind == "optimizer":
                built.append(event)
            elif event.kind == "step":
                built = [b for b in built if not same_thing(b.subject, event.subject)]
            elif event.kind == "move" and not on_cpu(event.value):
                before = any(same_thing(m, event.subject) for m in moved)
                maker = next((b for b in built if same_thing(model_of(b), event.subject)), None)
                if maker is not None and not before:
                    because = Because(maker.place, "the optimizer takes the parameters here")
                    yield finding(event, "the model moves after the optimizer took its parameters", because=because)
                moved.append(event.subject)


def model_of(event: Event) -> Value | None:
    """The model whose `parameters()` the optimizer was given."""
    params = event.value
    return params.args[0] if isinstance(params, Obj) and params.name == "parameters" and params.args else None
