"""What a running step shows of mistakes: the findings RT001 to RT008.

Gradients, optimizers and batches are looked at on every device. Values (RT003, RT004, RT005) are read where they are
real and reading them changes no measured byte: on the CPU.
"""

from __future__ import annotations

import collections
import math
from typing import Any

import torch
import torch.nn.functional as F

from .kept_graph import keeping
from .modes import without_modes
from .steps import Steps, modules

# host and device wait for each other that often on one line in a step before it is worth a word
MANY_SYNCS = 3
# as many numbers of a parameter tell whether it changed
SAMPLE = 64
CHANNELS = (1, 3, 4)
LEAST_RATE = 1e-5


class Findings:
    """Watches the steps of a run; `found` holds (code, id, level, message, place)."""

    def __init__(self, steps: Steps, values: bool) -> None:
        self.steps = steps
        self.values = values
        self.found: list[tuple[str, str, str, str, int]] = []
        self._seen: set[str] = set()
        self._with_gradient: set[int] = set()
        self._without: dict[int, Any] = {}
        self._before: dict[int, tuple[Any, list[float]]] = {}
        self._unchanged: dict[int, Any] = {}
        self._changed: set[int] = set()
        self._judged_first_loss = False
        # a gradient scaler runs into infinity on purpose
        self._scaled = False
        self._looked_at_batch = False
        # as many values were asked for in the first step, by line
        self._first_syncs = collections.Counter[int]()
        steps.watchers.append(self)
        if values:
            self._watch_cross_entropy()
            self._watch_scaler()

    def add(self, code: str, id: str, level: str, message: str, place: int) -> None:
        """Report once."""
        if code + message not in self._seen:
            self._seen.add(code + message)
            self.found.append((code, id, level, message, place))

    # ---- the batch

    def batch(self, tensors: list[torch.Tensor]) -> None:
        """The first batch of the loader, before it becomes fake."""
        if self._looked_at_batch:
            return
        self._looked_at_batch = True
        place = self.steps.tracker.lines.current(3)
        for tensor in tensors:
            if tensor.dim() != 4 or min(tensor.shape) == 0:
                continue
            if tensor.shape[3] in CHANNELS and tensor.shape[1] not in CHANNELS:
                shape = " x ".join(map(str, tensor.shape))
                text = f"the batch is {shape}: channels seem to come last, and layers of images want them second"
                self.add("RT006", "batch-looks-wrong", "warning", text, place)
            elif tensor.is_floating_point() and type(tensor) is torch.Tensor:
                low, high = float(tensor.min()), float(tensor.max())
                if low >= 0 and 100 < high <= 255:
                    text = f"the batch holds values from {low:g} to {high:g}: pixels that were not scaled to 0–1"
                    self.add("RT006", "batch-looks-wrong", "warning", text, place)

    # ---- the loss

    def _watch_cross_entropy(self) -> None:
        functional: Any = F
        plain = functional.cross_entropy

        def cross_entropy(input: Any, *args: Any, **kwargs: Any) -> Any:
            loss = plain(input, *args, **kwargs)
            if not self._judged_first_loss and input.dim() > 1 and loss.requires_grad and loss.dim() == 0:
                self._judged_first_loss = True
                with without_modes():
                    self._judge(float(loss.detach()), int(input.shape[1]))
            return loss

        functional.cross_entropy = cross_entropy

    def _judge(self, value: float, classes: int) -> None:
        """The first cross-entropy of a program."""
        expected = math.log(max(classes, 1))
        if classes > 1 and math.isfinite(value) and value > 2 * expected + 1:
            text = f"the first loss is {value:.3g}; an untrained classifier of {classes} classes starts near "
            text += f"ln({classes}) = {expected:.3g}: look at the last layer's initialisation and the inputs"
            self.add("RT005", "first-loss-off", "info", text, self.steps.tracker.lines.current(3))

    def _watch_scaler(self) -> None:
        scaler: Any = torch.amp.GradScaler
        plain = scaler.scale

        def scale(scaler: Any, outputs: Any) -> Any:
            self._scaled = True
            return plain(scaler, outputs)

        scaler.scale = scale

    def before_backward(self, loss: Any) -> None:
        if not self.values or self._scaled or not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            return
        place = self.steps.tracker.lines.current(3)
        with without_modes():
            value = float(loss.detach())
        if not math.isfinite(value):
            self.add("RT004", "not-finite", "error", f"the loss of step {self.steps.steps + 1} is {value}", place)

    def after_backward(self) -> None:
        pass

    # ---- the optimizer

    def before_step(self, optimizer: Any) -> None:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._with_gradient.add(id(parameter))
                    # lower rates may move a weight by less than its last digit
                    if self.values and (group.get("lr") == 0 or group.get("lr", 0) >= LEAST_RATE):
                        self._look_at(parameter)

    def _look_at(self, parameter: Any) -> None:
        with without_modes():
            gradient = parameter.grad.detach()
            if gradient.is_sparse:
                return
            finite = bool(torch.isfinite(gradient).all())
            moves = bool((gradient.flatten()[:SAMPLE] != 0).any())
            if moves and finite:
                self._before[id(parameter)] = (parameter, parameter.detach().flatten()[:SAMPLE].tolist())
        if not finite and not self._scaled:
            text = f"the gradient of {self.name(parameter)} holds NaN or infinity in step {self.steps.steps + 1}"
            self.add("RT004", "not-finite", "error", text, self.place(parameter))

    def after_step(self, optimizer: Any, count: int) -> None:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                # a closure makes gradients inside the step
                if parameter.grad is not None:
                    self._with_gradient.add(id(parameter))
                elif parameter.requires_grad:
                    self._without[id(parameter)] = parameter
        if self.steps.steps == 1:
            self._first_syncs = collections.Counter(self.steps.tracker.syncs)
        with without_modes():
            for key, (parameter, before) in self._before.items():
                if parameter.detach().flatten()[:SAMPLE].tolist() == before:
                    self._unchanged[key] = parameter
                else:
                    self._changed.add(key)
        self._before.clear()

    # ---- the end

    def finish(self) -> None:
        """What can be said when the steps are over."""
        held = {id(each) for each in self.steps.held_by_optimizers()}
        for key, parameter in self._without.items():
            if key not in self._with_gradient:
                text = f"{self.name(parameter)} got no gradient in any step: nothing that the loss depends on uses it"
                self.add("RT001", "no-gradient", "warning", text, self.place(parameter))
        for parameter in self.steps.parameters() if held else ():
            if parameter.grad is not None and parameter.requires_grad and id(parameter) not in held:
                text = f"{self.name(parameter)} gets a gradient and no optimizer holds it: it is never trained"
                self.add("RT002", "not-in-optimizer", "warning", text, self.place(parameter))
        for key, parameter in self._unchanged.items():
            if key not in self._changed:
                text = f"{self.name(parameter)} has a gradient and did not change in a step: look at its learning rate"
                self.add("RT003", "unchanged-parameter", "warning", text, self.place(parameter))
        # from the end of the first step on: what stands behind the last one in the loop is not reached any more
        cycles = max(1, self.steps.steps - 1)
        for place, count in self.steps.tracker.syncs.items():
            often = (count - self._first_syncs[place]) / cycles
            if often >= MANY_SYNCS:
                text = (
                    f"host and device wait for each other {often:.0f} times a step here: a value is asked for each time"
                )
                self.add("RT007", "many-synchronisations", "info", text, place)

    def graph_kept(self) -> bool:
        """Report the tensors that keep the graph of the first step (RT008); were there any?"""
        tracker = self.steps.tracker
        places = {tracker.of_line[born] for each in keeping(self.steps) if (born := tracker.birth(each)) >= 0}
        for place in sorted(places):
            text = "the tensor made here keeps the graph of a step that is over, so memory grows from step to step: "
            self.add("RT008", "graph-kept", "warning", text + "keep `.item()` or `.detach()` of it", place)
        return bool(places)

    def place(self, parameter: Any) -> int:
        """The line that made a parameter."""
        number = self.steps.tracker.number(parameter)
        return self.steps.tracker.of_line[number] if number is not None else -1

    def name(self, parameter: Any) -> str:
        """The parameter as `Model.layer.weight`, by the outermost module that holds it."""
        names = collections.Counter[str]()
        for module in modules():
            for name, each in module.named_parameters():
                if each is parameter:
                    names[f"{type(module).__name__}.{name}"] = name.count(".") + 1
        return names.most_common(1)[0][0] if names else "a parameter"
