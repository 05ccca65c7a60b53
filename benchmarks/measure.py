"""`trainlint measure --device fake` on a ResNet-50: CPU time from torch's import on, memory, and what lines cost.

    python benchmarks/measure.py

Runs with and without lines are taken in turn; the ratio is that of the best of each.
"""

from __future__ import annotations

import resource
import subprocess
import tempfile
import time
from pathlib import Path

from trainlint.memory.recording import played
from trainlint.project.measuring import Job, Message, Run

ROUNDS = 4
PROGRAM = """import torch
from torch import nn


class Bottleneck(nn.Module):
    def __init__(self, inside, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.short = None
        if stride != 1 or inside != 4 * width:
            self.short = nn.Sequential(nn.Conv2d(inside, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width))

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += x if self.short is None else self.short(x)
        return self.relu(y)


layers, inside = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)], 64
for width, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
    for at in range(count):
        layers.append(Bottleneck(inside, width, stride if at == 0 else 1))
        inside = 4 * width
net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000)).cuda()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
while True:
    x, y = torch.randn(32, 3, 224, 224).cuda(), torch.randint(0, 1000, (32,)).cuda()
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
"""


def run(path: Path, attribute: bool) -> tuple[Message, float]:
    """The recording and the seconds between torch's import and the report."""
    began = [0.0]

    def heard(message: Message) -> None:
        if message["type"] == "started":
            began[0] = time.perf_counter()
        elif message["type"] == "recording":
            began.append(time.perf_counter())

    target = {"kind": "script", "path": str(path)}
    job = Job(target=target, roots=[str(path.parent)], device="fake", attribute=attribute)
    outcome = Run(job, heard).wait(stdout=subprocess.DEVNULL)
    assert outcome.recording is not None, outcome.why
    return outcome.recording, began[1] - began[0]


def main() -> None:
    times: dict[bool, list[float]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.py"
        path.write_text(PROGRAM, encoding="utf-8")
        run(path, True)
        for _ in range(ROUNDS):
            for attribute in (True, False):
                recording, wall = run(path, attribute)
                times[attribute].append(float(recording["seconds"]))
                lines = "with lines" if attribute else "without"
                print(f"{lines:10}  {recording['seconds']:.2f} s of CPU, {wall:.2f} s of wall time")
        recording, _ = run(path, True)
    peak = played(recording).figures.peak
    known = sum(size for where, size in peak.lines.items() if where is not None)
    print(f"peak {peak.allocated / 2**20:,.0f} MiB, {100 * known / peak.allocated:.1f} % of it with a line")
    print(f"largest process {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MiB")
    print(f"lines cost {100 * (min(times[True]) / min(times[False]) - 1):+.1f} %")


if __name__ == "__main__":
    main()
