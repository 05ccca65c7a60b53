"""What a measured step shows of mistakes: RT001 to RT008, found by `trainlint measure` in `runtime_check/findings.py`.

They are selected, ignored and suppressed like the findings of rules; `trainlint check` looks for none of them.
"""

from __future__ import annotations

from typing import NamedTuple

from trainlint.rules.finding import Level

FAMILY = "runtime"


class RuntimeCode(NamedTuple):
    """A finding of a measured step; `doc` is its page, a summary line and the fixed headings."""

    id: str
    level: Level
    doc: str

    @property
    def summary(self) -> str:
        return self.doc.partition("\n")[0].rstrip(".")


RUNTIME_CODES: dict[str, RuntimeCode] = {
    "RT001": RuntimeCode(
        "no-gradient",
        "warning",
        """A parameter of an optimizer got no gradient in any step.

## What it does
Looks after each step of an optimizer which of its parameters that ask for a gradient have one. What never had one is
reported where the parameter was made. Devices: all.

## Why it matters
Nothing that the loss depends on uses the parameter, so it is never trained: a layer that `forward` skips, a branch
that was left behind, a `detach()` or `no_grad()` in between. `DistributedDataParallel` stops with an error at such
parameters.

## When it stays silent
Parameters with `requires_grad=False`, parameters that an optimizer does not hold, and those that got a gradient in
one of the measured steps.
""",
    ),
    "RT002": RuntimeCode(
        "not-in-optimizer",
        "warning",
        """A parameter gets a gradient and no optimizer holds it.

## What it does
Compares the parameters that have a gradient after the last step with those that the optimizers hold. Devices: all.

## Why it matters
The gradient is computed and kept, and the parameter never moves: the head of a model that was replaced after the
optimizer was built, or a module whose `parameters()` were never passed on.

## When it stays silent
Programs without an optimizer, and parameters without a gradient.
""",
    ),
    "RT003": RuntimeCode(
        "unchanged-parameter",
        "warning",
        """A parameter has a gradient and did not change in a step.

## What it does
Compares the first 64 numbers of each parameter before and after a step of its optimizer. Device: `cpu`, where there
are numbers.

## Why it matters
The learning rate of its group is 0, or so small beside the weight that floating point swallows the step.

## When it stays silent
Gradients that are 0 or not finite, learning rates between 0 and 1e-5, and parameters that changed in another step.
""",
    ),
    "RT004": RuntimeCode(
        "not-finite",
        "error",
        """The loss or a gradient is NaN or infinite.

## What it does
Reads the loss before `backward()` and the gradients before the optimizer's step. Device: `cpu`.

## Why it matters
One step with such a gradient makes weights NaN, and all that follows.

## When it stays silent
Programs with a gradient scaler, which runs into infinity on purpose and skips such steps.
""",
    ),
    "RT005": RuntimeCode(
        "first-loss-off",
        "info",
        """The first cross-entropy is far above ln(classes).

## What it does
Reads the first cross-entropy of the program. A classifier that knows nothing starts near ln(classes); above twice
that plus 1 it is reported. Device: `cpu`.

## Why it matters
The model starts out sure of wrong answers: the last layer is initialised too wide, or the inputs are not normalised.

## When it stays silent
Losses that are smaller, and losses of other kinds.
""",
    ),
    "RT006": RuntimeCode(
        "batch-looks-wrong",
        "warning",
        """The batch looks as if channels came last, or holds pixels from 0 to 255.

## What it does
Looks at the four-dimensional tensors of the first batch of a loader. Devices: all, with real samples.

## Why it matters
Layers of images want channels second and values near 0; with 0 to 255 the first steps blow up.

## When it stays silent
Integer images (they still have to be converted), batches that no loader gives, and blank samples in the place of
absent data.
""",
    ),
    "RT007": RuntimeCode(
        "many-synchronisations",
        "info",
        """Values are asked for three times a step or more on one line.

## What it does
Counts `.item()`, `float(tensor)`, conditions on tensors and the like on each line between the first step and the
last. Devices: all.

## Why it matters
For each value the host waits until the card has computed it, and the card then waits for the host.

## When it stays silent
Values that an optimizer of torch asks for, and fewer than three in a step.
""",
    ),
    "RT008": RuntimeCode(
        "graph-kept",
        "warning",
        """A tensor keeps the graph of a step that is over, so memory grows from step to step.

## What it does
Looks after the last step for tensors whose graphs reach back into the first one, and runs one more step to see
whether they are still there. Devices: all.

## Why it matters
A list or a sum of losses that were not detached keeps every activation of every step: out of memory after some steps.

## When it stays silent
A name that is merely bound to the last loss: one step later it is another one.
""",
    ),
}
