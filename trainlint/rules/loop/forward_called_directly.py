"""`model.forward(x)` is called instead of `model(x)`.

## What it does
Reports a call of `forward` by name on a module.

## Why it matters
`forward` skips what `__call__` does around it: hooks, DataParallel and DistributedDataParallel, compilation, autocast
wrappers. The code works until one of them is added.

## Example
```py
import torch

model = torch.nn.Linear(3, 2)
y = model.forward(torch.rand(4, 3))  # warning: [forward-called-directly]
```
Use instead: `model(x)`.

## When it stays silent
`super().forward(x)` and calls inside a method named forward of the same object; objects that are not modules.
"""

from trainlint.rules.api import WholeProgram, at, finding, ir, is_module, replace, rule, source


@rule("forward-called-directly", code="LP009", family="loop", level="warning", since="0.1")
def check(program: WholeProgram):
    for trace in program.traces:
        for event in trace.of("forward"):
            node = event.node
            if event.name != "forward" or not isinstance(node, ir.Call) or not isinstance(node.func, ir.Attr):
                continue
            if not is_module(event.subject) or (event.frames and event.frames[-1] == "forward" and is_self(node.func)):
                continue
            name = source(node.func.value)
            fix = replace(f"call `{name}(…)`", at(event.file, node.func), name)
            yield finding(
                event, "`{name}.forward(…)` skips hooks and wrappers that `{name}(…)` runs", name=name, fix=fix
            )


def is_self(func: ir.Attr) -> bool:
    return isinstance(func.value, ir.Name) and func.value.id == "self"
