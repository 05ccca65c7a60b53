"""Side-by-side ratios in one run: a cold check against torch-preflight, a keystroke against `libcst.parse_module`.

    python benchmarks/run.py [--preflight PATH/TO/torch-preflight]

CPU time of whole processes for the check; CPU time inside one process for keystrokes (edit, analysis and all rules).
torch-preflight 0.5.0 comes from PyPI; it is installed in an environment of its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAD = "import torch\nfrom torch import nn, optim\nfrom torch.utils.data import DataLoader\n"
UNIT = '''

class Net{i}(nn.Module):
    """A small network with {i} in its name."""

    def __init__(self, width=64, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, kernel_size=3, padding=1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1)
        self.bn2 = nn.BatchNorm2d(width)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)))
        return self.head(self.pool(x).flatten(1))


def evaluate{i}(model, loader, device):
    model.eval()
    correct, total = 0, 0
    with torch.no_grad():
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            correct += (model(images).argmax(dim=1) == labels).sum().item()
            total += labels.size(0)
    return correct / max(1, total)


def train{i}(dataset, test_set, device, epochs=10, batch_size=64):
    loader = DataLoader(dataset, batch_size=batch_size, shuffle=True, num_workers=4)
    test_loader = DataLoader(test_set, batch_size=batch_size)
    model = Net{i}().to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    for epoch in range(epochs):
        model.train()
        running = 0.0
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            running += loss.item()
        scheduler.step()
        print(epoch, running / len(loader), evaluate{i}(model, test_loader, device))
    return model
'''


def script(lines: int) -> str:
    text, i = HEAD, 0
    while text.count("\n") < lines:
        text += UNIT.format(i=i)
        i += 1
    return text


def cpu(command: list[str], rounds: int) -> float:
    """The least CPU time in seconds of a command over some rounds."""
    best = float("inf")
    # both tools as installed: with their byte code
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=False, env=env)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def cold_check(preflight: str | None) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train.py")
        path.write_text(script(500), encoding="utf-8")
        ours = cpu([sys.executable, "-m", "trainlint", "check", "--no-cache", str(path)], 5)
        rows = [f"cold check of a 500-line script: {ours:.2f} s CPU"]
        if preflight is not None:
            theirs = cpu([preflight, "check", "-j", "1", str(path)], 3)
            rows.append(f"torch-preflight, same file: {theirs:.2f} s CPU; ratio {ours / theirs:.3f} (goal 0.167)")
    return rows


class Nothing:
    """A workspace without other files."""

    def module(self, importer: str, level: int, dotted: str) -> None:
        return None

    def data_file(self, importer: str, name: str) -> None:
        return None


def keystrokes() -> list[str]:
    import libcst

    from trainlint.rules.engine import Analyser
    from trainlint.rules.registry import all_rules
    from trainlint.syntax.document import Document

    text, rules = script(2000), list(all_rules().values())
    parses, keys = [], []
    for _ in range(5):
        start = time.process_time()
        libcst.parse_module(text)
        parses.append(time.process_time() - start)
    document, analyser = Document(text), Analyser(Nothing())
    start = time.process_time()
    analyser.check("/train.py", document, rules)
    first = time.process_time() - start
    for unit, part, typed in (
        (5, "lr=1e-3", "0.5"),
        (12, "running += loss.item()", "  # a note"),
        (20, "x = torch.relu", "yy"),
    ):
        at = document.text.index(part, document.text.index(f"class Net{unit}(")) + len(part)
        for offset, char in enumerate(typed):
            start = time.process_time()
            document.edit(at + offset, at + offset, char)
            analyser.check("/train.py", document, rules)
            keys.append(time.process_time() - start)
    parse = min(parses)
    return [
        f"libcst.parse_module of a 2,000-line file: {1000 * parse:.0f} ms",
        f"first analysis after parsing: {first / parse:.2f} x that",
        f"keystroke to findings, median {1000 * statistics.median(keys):.0f} ms = "
        f"{statistics.median(keys) / parse:.3f} x (goal 0.15), worst {max(keys) / parse:.2f} x, {len(keys)} keys",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preflight", help="the torch-preflight command of its own environment")
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    for row in [*cold_check(args.preflight), *keystrokes()]:
        print(row)


if __name__ == "__main__":
    main()
