"""Estimates against published peaks of real GPUs: `python benchmarks/gpu_peaks.py [CSV] [--timm FOLDER] [--most N]`.

The CSV has a row for each training run: `model`, `source_lib`, `batch`, `input`, `peak_bytes`, `params`, `source`.
Three kinds of rows are used: the random networks of linear layers and the timm models that GPUMemNet measured with
nvidia-smi on an A100-40GB (arXiv 2602.17817), and models of torchvision that xMem measured on an RTX 3060 (arXiv
2510.21048), for which no constant is added. For each a training script is written as a person would, and
`trainlint memory` is asked about it. The sources of timm are not shipped: `--timm` is a folder with the package, which
is copied beside the scripts under another name, so that it is followed like the person's own code.

What the rows do not tell is assumed: SGD with momentum for timm and Adam for the linear networks, float32, 1000
classes. What a process needs beyond what PyTorch reserves is one constant, and for timm a few copies of the batch that
its loader keeps on the GPU. Both are fitted on one half of the families of models and tried on the other, 50 times.

With `--record FILE` every answer is appended to a file and taken from there in the next run.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import random
import re
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trainlint.memory.device import device_total
from trainlint.memory.estimate import Estimate
from trainlint.memory.gpus import MIB
from trainlint.memory.target import Target, target_of
from trainlint.project.config import Overrides
from trainlint.project.session import Session

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = ROOT.parent / "shared" / "gpu-peaks-dev.csv"
GPU = "A100-40GB"
# the copy of timm beside the scripts; under its own name the tables of `trainlint.ops` would answer
COPY = "vision_models"
BATCHES = (8, 64)
SPLITS = 50
# vision transformers, whose memory is known best, show about so many batches more than their own
LOADER = 5

MLP = re.compile(
    r"MLP input:(\d+)_output:(\d+)_depth:(\d+)_arch:(\w+?)_batch:(\d+)_act:(\w+)_dropout:([\d.]+)"
    r"_dropout:(\w+)_batchnorm:(\w+)$"
)
ACTIVATIONS = {
    "softplus": "Softplus", "prelu": "PReLU", "mish": "Mish", "swish": "SiLU", "tanh": "Tanh", "identity": "Identity",
    "relu": "ReLU", "elu": "ELU", "selu": "SELU", "leaky_relu": "LeakyReLU", "gelu": "GELU",
}  # fmt: skip
SCRIPT = """
import torch
from torch import nn
{imports}

{model}
model = model.cuda()
optimizer = torch.optim.{optimizer}
criterion = nn.CrossEntropyLoss()
model.train()
for step in range(100):
    inputs = torch.randn({batch}, {shape}).cuda()
    targets = torch.randint(0, {classes}, ({batch},)).cuda()
    optimizer.zero_grad()
    loss = criterion(model(inputs), targets)
    loss.backward()
    optimizer.step()
"""


@dataclass(frozen=True)
class Row:
    """A measured run. `family` is what is held out together, `inputs` the bytes of a batch, sizes are bytes."""

    name: str
    family: str
    batch: int
    peak: int
    inputs: int
    script: str


@dataclass(frozen=True)
class Answered:
    """What trainlint says of a row: reserved without and with the workspaces of cuDNN."""

    row: Row
    reserved: int
    working: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--timm", type=Path, help="a folder of the package timm")
    parser.add_argument("--most", type=int, default=100, help="models of timm, and networks of linear layers")
    parser.add_argument("--record", type=Path)
    options = parser.parse_args()
    if not options.csv.is_file():
        print(f"no {options.csv.name} here: nothing to compare with")
        return
    with options.csv.open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    with tempfile.TemporaryDirectory() as folder:
        asked = Asked(Path(folder), options.record)
        linear, left_out = linear_rows(table)
        print(f"networks of linear layers: {len(linear)} rows, {left_out} left out (the widths are not told)")
        report("linear layers", asked.all(drawn(linear, options.most, 1)), (0,))
        print("models of torchvision, reserved against measured in %, without a constant:")
        for each in asked.all(torchvision_rows(table)):
            print(f"  {each.row.name}, batch {each.row.batch}: {100 * (each.reserved / each.row.peak - 1):+.1f}")
        if options.timm is None:
            print("no --timm: its models are left out")
            return
        images, suspect = image_rows(table, options.timm, Path(folder))
        print(f"timm: {len(images)} rows of batch 8 and 64, {suspect} rows left out as suspect")
        answers = asked.all(drawn(images, options.most, len(BATCHES)))
        report("timm, one constant", answers, (0,))
        report(f"timm, and up to {LOADER} batches that its loader keeps", answers, range(LOADER + 1))
        band(answers, asked.target)
    for why, names in sorted(asked.refused.items(), key=lambda item: -len(item[1])):
        print(f"  not answered, {len(names)} ({', '.join(sorted(names)[:3])}, …): {why}")


# scripts


def linear_rows(table: Sequence[dict[str, str]]) -> tuple[list[Row], int]:
    """Networks of one width: it follows from the number of parameters. How the others' widths fall is not told."""
    found, left_out = [], 0
    for row in table:
        match = MLP.match(row["model"])
        if match is None:
            continue
        wide, classes, depth, batch = int(match[1]), int(match[2]), int(match[3]), int(match[5])
        normed, dropped = match[9] == "True", match[8] == "True"
        width = one_width(wide, classes, depth, normed, match[6] == "prelu", int(row["params"]))
        if (match[4] != "uniform" and depth > 1) or width is None:
            left_out += 1
            continue
        layers: list[str] = []
        for last in (wide, *[width] * (depth - 1)):
            layers += (
                [f"nn.Linear({last}, {width})", f"nn.BatchNorm1d({width})"]
                if normed
                else [f"nn.Linear({last}, {width})"]
            )
            layers += [f"nn.{ACTIVATIONS[match[6]]}()", *([f"nn.Dropout({match[7]})"] if dropped else [])]
        layers.append(f"nn.Linear({width}, {classes})")
        script = SCRIPT.format(
            imports="",
            model=f"model = nn.Sequential({', '.join(layers)})",
            optimizer="Adam(model.parameters())",
            batch=batch,
            shape=wide,
            classes=classes,
        )
        found.append(Row(row["model"], match[6], batch, int(row["peak_bytes"]), 4 * batch * wide, script))
    return found, left_out


def one_width(wide: int, classes: int, depth: int, normed: bool, prelu: bool, parameters: int) -> int | None:
    """The width at which hidden layers of one width have so many parameters; None where there is none."""

    def count(width: int) -> int:
        hidden = depth * (width + prelu + 2 * width * normed) + (depth - 1) * width * width
        return wide * width + hidden + width * classes + classes

    low, high = 1, 20_000
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if count(middle) < parameters else (low, middle)
    return low if count(low) == parameters else None


def torchvision_rows(table: Sequence[dict[str, str]]) -> list[Row]:
    """The runs of xMem that did not end for want of memory; the models are named as in its list."""
    models = {"ConvNeXtBase": "convnext_base()", "MnasNet": "mnasnet1_0(num_classes=10)"}
    rates = {"SGD": ", lr=0.1"}
    found = []
    for row in table:
        if row["model"] not in models or "OOM" in row["source"]:
            continue
        sizes, batch = [int(size) for size in row["input"].split("x")], int(row["batch"])
        script = SCRIPT.format(
            imports="from torchvision import models",
            model=f"model = models.{models[row['model']]}",
            optimizer=f"{row['optimizer']}(model.parameters(){rates.get(row['optimizer'], '')})",
            batch=batch,
            shape=", ".join(map(str, sizes)),
            classes=10,
        )
        name = f"{row['model']}, {row['optimizer']}"
        found.append(Row(name, name, batch, int(row["peak_bytes"]), 4 * batch * math.prod(sizes), script))
    return found


def image_rows(table: Sequence[dict[str, str]], package: Path, folder: Path) -> tuple[list[Row], int]:
    """The models of timm, whose package is copied into the folder."""
    copied = folder / COPY
    shutil.copytree(package, copied, ignore=shutil.ignore_patterns("__pycache__"))
    for path in copied.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"\b(from|import) timm\b", rf"\1 {COPY}", text), encoding="utf-8")
    # they import every model there is
    for name in ("__init__.py", "models/__init__.py"):
        (copied / name).write_text("", encoding="utf-8")
    homes = {
        name: path
        for path in sorted((copied / "models").glob("*.py"))
        for name in re.findall(r"@register_model\ndef (\w+)", path.read_text(encoding="utf-8"))
    }
    found, suspect = [], 0
    for row in table:
        home = homes.get(row["model"]) if row["source_lib"] == "timm" else None
        if home is None:
            continue
        suspect += "SUSPECT" in row["source"]
        if "SUSPECT" in row["source"] or int(row["batch"]) not in BATCHES:
            continue
        sizes = [int(size) for size in row["input"].split("x")]
        stated = sizes[1] != 224 and "fixed_input_size" in home.read_text(encoding="utf-8")
        script = SCRIPT.format(
            imports=f"from {COPY}.models.{home.stem} import {row['model']}",
            model=f"model = {row['model']}({f'img_size={sizes[1]}' if stated else ''})",
            optimizer="SGD(model.parameters(), lr=0.1, momentum=0.9)",
            batch=row["batch"],
            shape=", ".join(map(str, sizes)),
            classes=1000,
        )
        batch = int(row["batch"])
        found.append(Row(row["model"], home.stem, batch, int(row["peak_bytes"]), 4 * batch * math.prod(sizes), script))
    return found, suspect


def drawn(rows: Sequence[Row], most: int, each: int) -> list[Row]:
    """Rows of so many models, of every family in turn."""
    families: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        families[row.family][row.name].append(row)
    dice = random.Random(5)
    piles = []
    for _, models in sorted(families.items()):
        names = sorted(models)
        dice.shuffle(names)
        piles.append([models[name] for name in names])
    turns = [pile[turn] for turn in range(max(map(len, piles), default=0)) for pile in piles if turn < len(pile)]
    return [row for model in turns[:most] for row in model[:each]]


# answers


class Asked:
    """Asks trainlint about rows; what was asked before is taken from the record."""

    def __init__(self, folder: Path, record: Path | None) -> None:
        self.folder = folder
        self.record = record
        self.session = Session([folder], Overrides(gpu=GPU))
        self.target = target_of(GPU, None)
        self.name = ""
        self.first: Estimate | None = None
        self.refused: dict[str, set[str]] = defaultdict(set)
        self.known: dict[str, dict[str, object]] = {}
        if record is not None and record.is_file():
            lines = record.read_text(encoding="utf-8").splitlines()
            self.known = {told["script"]: told for told in map(json.loads, lines)}

    def all(self, rows: Sequence[Row]) -> list[Answered]:
        """The rows that have a complete answer."""
        found, started = [], time.monotonic()
        for row in rows:
            told = self.known.get(row.script) or self.told(row)
            if told["why"]:
                self.refused[str(told["why"])].add(row.name)
            else:
                found.append(Answered(row, int(str(told["reserved"])), int(str(told["working"]))))
        print(f"  {len(found)} of {len(rows)} rows answered completely in {time.monotonic() - started:.0f} s")
        return found

    def told(self, row: Row) -> dict[str, object]:
        told: dict[str, object] = {"script": row.script, "why": "no training loop was found"}
        if row.name != self.name:
            self.name, self.first = row.name, self.asked(row)
        first = self.first
        if first is not None and first.step is not None:
            told["why"] = re.sub(r"`[^`]*`", "…", first.unknown[0][1]) if first.unknown else ""
            if first.complete:
                plan = replace(first.plan, batch=row.batch)
                told["reserved"] = first.step.estimate(plan).reserved
                told["working"] = first.step.estimate(replace(plan, convolutions=True)).reserved
        if self.record is not None:
            with self.record.open("a", encoding="utf-8") as file:
                file.write(json.dumps(told) + "\n")
        return told

    def asked(self, row: Row) -> Estimate | None:
        """The training loop of a script; at another batch size it is the same loop."""
        path = str(self.folder / "train.py")
        self.session.open(path, row.script)
        try:
            return next(iter(self.session.memory(path, None, self.target)), None)
        finally:
            self.session.close(path)


# figures


def report(name: str, answers: Sequence[Answered], copies: Sequence[int]) -> None:
    """Errors on families that the constant was not fitted on, without and with the workspaces of convolutions."""
    if len({answer.row.family for answer in answers}) < 2:
        return
    print(f"{name}: |error| of reserved + constant in %, median / 75 / 90 / worst, on families held out")
    kinds: dict[str, Callable[[Answered], int]] = {"reserved": lambda a: a.reserved}
    if any(answer.working != answer.reserved for answer in answers):
        kinds["with the workspaces of convolutions"] = lambda a: max(a.reserved, a.working)
    for kind, size in kinds.items():
        errors, constants, kept = held_out(answers, size, copies)
        low, middle, high = min(constants), statistics.median(constants), max(constants)
        loader = f" and {statistics.median(kept):g} batches of the loader" if len(copies) > 1 else ""
        print(f"  {kind}: {quantiles(errors)}; constant {middle:,.0f} MiB ({low:,.0f} to {high:,.0f}){loader}")
        slopes = [estimated / measured - 1 for estimated, measured in growth(answers, size, statistics.median(kept))]
        if slopes:
            print(f"    bytes for one more image, from batch 8 to 64, {len(slopes)} models: {quantiles(slopes)}")
        measured = [answer.row.peak - middle * MIB for answer in answers]
        rest = [
            (size(answer) + statistics.median(kept) * answer.row.inputs - own) / own
            for answer, own in zip(answers, measured, strict=True)
            if own > 0
        ]
        print(f"    relative to the peak without the constant: {quantiles(rest)}")


def band(answers: Sequence[Answered], target: Target | None) -> None:
    """How many peaks lie in the range that is told for a GPU."""
    assert target is not None
    below = above = 0
    for answer in answers:
        more = max(0, answer.working - answer.reserved)
        told = device_total(answer.reserved, target.gpu, True, more)
        below += answer.row.peak < told.low
        above += answer.row.peak > told.high
    print(f"timm: of {len(answers)} peaks {below} below the range that is told, {above} above")


def held_out(
    answers: Sequence[Answered], size: Callable[[Answered], int], copies: Sequence[int]
) -> tuple[list[float], list[float], list[int]]:
    """The errors in halves that nothing was fitted on, the constants in MiB, the batches that the loader keeps."""
    dice = random.Random(1)
    families = sorted({answer.row.family for answer in answers})
    errors, constants, kept = [], [], []
    for _ in range(SPLITS):
        dice.shuffle(families)
        half = set(families[: len(families) // 2])
        mine = [answer for answer in answers if answer.row.family in half]
        count, constant = min(((n, fitted(mine, size, n)) for n in copies), key=lambda c: typical(mine, size, *c))
        constants.append(constant / MIB)
        kept.append(count)
        errors += [error(answer, size, count, constant) for answer in answers if answer.row.family not in half]
    return errors, constants, kept


def fitted(answers: Sequence[Answered], size: Callable[[Answered], int], count: int) -> float:
    """The bytes beyond the estimate: the middle of what is left."""
    return statistics.median(answer.row.peak - size(answer) - count * answer.row.inputs for answer in answers)


def error(answer: Answered, size: Callable[[Answered], int], count: int, constant: float) -> float:
    return (size(answer) + count * answer.row.inputs + constant) / answer.row.peak - 1


def typical(answers: Sequence[Answered], size: Callable[[Answered], int], count: int, constant: float) -> float:
    return statistics.median(abs(error(answer, size, count, constant)) for answer in answers)


def growth(answers: Sequence[Answered], size: Callable[[Answered], int], kept: float) -> Iterator[tuple[float, float]]:
    """What the larger batch takes more, estimated and measured: free of any constant."""
    models: dict[str, dict[int, Answered]] = defaultdict(dict)
    for answer in answers:
        models[answer.row.name][answer.row.batch] = answer
    for found in models.values():
        if set(found) == set(BATCHES):
            small, large = found[BATCHES[0]], found[BATCHES[1]]
            loader = kept * (large.row.inputs - small.row.inputs)
            yield size(large) - size(small) + loader, large.row.peak - small.row.peak


def quantiles(errors: Sequence[float]) -> str:
    """Median, 75th and 90th percentile and the worst, in percent."""
    found = sorted(abs(each) for each in errors)
    picked = [found[min(len(found) - 1, int(part * len(found)))] for part in (0.5, 0.75, 0.9, 1)]
    return " / ".join(f"{100 * each:.1f}" for each in picked)


if __name__ == "__main__":
    main()
