"""After any sequence of edits the findings are those of a fresh analysis of the text."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from memory_workspace import MemoryWorkspace

from trainlint.analysis.incremental import Shape, update
from trainlint.rules.engine import Analyser
from trainlint.rules.finding import Finding
from trainlint.rules.registry import all_rules
from trainlint.server.documents import difference
from trainlint.syntax.document import Document

EXAMPLES = Path(__file__).parents[2] / "examples"
PATH = "/project/train.py"
PIECES = [
    "optimizer.zero_grad()",
    "loss.backward()",
    "optimizer.step()",
    "lr=0.5",
    "lr=1e-3",
    "model.eval()",
    "model.train()",
    "total += loss",
    "    ",
    "\n",
    "(",
    ")",
    '"',
    "if x ==",
    "# a note",
    "return loss",
    "0",
    "def helper(a, b):\n    pass\n",
    "with torch.no_grad():\n",
    "images = images.permute(0, 2, 1)",
    ".item()",
    "self.value = 1",
]


def findings(analyser: Analyser, document: Document) -> list[Finding]:
    found = analyser.check(PATH, document, list(all_rules().values()))
    assert analyser.failures == []
    return sorted(found, key=lambda f: (f.sort_key, f.message))


def long_script() -> str:
    """Several training functions and models in one file: what most edits do not touch."""
    source = (EXAMPLES / "cifar" / "train.py").read_text(encoding="utf-8")
    functions = [
        f"""

def train_{i}(model, loader, device, epochs={i}):
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(epoch, total / len(loader))
    return model
"""
        for i in range(6)
    ]
    return source + "".join(functions)


SHARED = """
import torch
from torch import nn
import torch.nn.functional as F
from helper import Net, accuracy, STATE

LR = 0.1
device = torch.device("cuda")
model = Net()
history = []
options = {"lr": 1e-3, "clip": None}
optimizer = torch.optim.SGD(model.parameters(), lr=LR)


class Trainer:
    def __init__(self, model, loader):
        self.model = model
        self.loader = loader
        self.best = None
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def fit(self):
        for images, labels in self.loader:
            loss = F.cross_entropy(self.model(images), labels)
            loss.backward()
            self.optimizer.step()
            history.append(loss)

    def check(self):
        for images, labels in self.loader:
            out = self.model(images)
            print(accuracy(out, labels))

    def reset(self):
        self.best = 0


def freeze():
    for p in model.parameters():
        p.requires_grad = False


def change():
    global LR
    LR = 0.5
    model.fc = nn.Linear(3, 2)
    options["lr"] = 0.2
    history.append(1)
    STATE["seen"] = torch.zeros(2, 3)


def train(loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=options["lr"])
    for images, labels in loader:
        images = images.to(device)
        optimizer.zero_grad()
        out = model(images)
        loss = F.cross_entropy(F.softmax(out, dim=1), labels)
        loss.backward()
        optimizer.step()


def evaluate(loader):
    for images, labels in loader:
        out = model(images)
        print(accuracy(out, labels), STATE["seen"].shape)
"""
HELPER = """
import torch
import torch.nn.functional as F
from torch import nn

STATE = {"seen": None}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))


def accuracy(out, labels):
    return (out.argmax(1) == labels).float().mean()
"""
# edits of `SHARED` that matter to more than the function they are in
SHARED_PIECES = [
    "    model.eval()\n",
    "    model.to(device)\n",
    "    model.fc = nn.Linear(8, 5)\n",
    "    model.fc = nn.Linear(9, 5)\n",
    "    global LR, optimizer\n    LR = 3\n",
    "    history.append(2)\n",
    '    options["lr"] = 5\n',
    "    optimizer.param_groups[0]['lr'] = 1.0\n",
    "    STATE['seen'] = torch.zeros(3, 4) @ torch.zeros(3)\n",
    "    Trainer(model, None).fit()\n",
    "    train(None)\n",
    "    self.model = Net()\n        self.best = 2\n",
    "    import lightning\n",
    "    Trainer.fit = None\n",
    "    model.unknown.eval()\n",
]


def edited(chance: random.Random, document: Document, shared: bool) -> None:
    text = document.text
    if shared and chance.random() < 0.6:
        lines = [match.end() for match in re.finditer(r"\n(?=    )", text)]
        at = chance.choice(lines)
        indent = len(text[at:]) - len(text[at:].lstrip(" "))
        document.edit(at, at, " " * (indent - 4) + chance.choice(SHARED_PIECES))
        return
    start = chance.randrange(len(text))
    end = min(len(text), start + chance.choice([0, 0, 0, 1, 1, 4, 20]))
    document.edit(start, end, chance.choice(PIECES) if chance.random() < 0.7 else "")


@pytest.mark.parametrize("seed", range(18))
def test_edits_give_the_findings_of_a_fresh_analysis(seed: int) -> None:
    chance = random.Random(seed)
    shared = seed % 2 == 1
    document = Document(SHARED if shared else long_script())
    files = {"helper.py": HELPER} if shared else {}
    kept = Analyser(MemoryWorkspace(files))
    kept.edits = True
    findings(kept, document)
    for _ in range(25):
        text = document.text
        edited(chance, document, shared)
        fresh = Analyser(MemoryWorkspace(files))
        assert findings(kept, document) == findings(fresh, Document(document.text))
        if chance.random() < 0.5:
            # undo, so that the file does not decay
            document.edit(0, len(document.text), text) if seed % 3 == 0 else undo(document, text)
            assert document.text == text


def undo(document: Document, text: str) -> None:
    change = difference(document.text, text)
    document.edit(change.start, change.end, change.text)


@pytest.mark.parametrize("statement", ["options['lr'] = 5", "LR_ = model.eval()", "model.fc = nn.Linear(9, 5)"])
def test_what_an_entry_leaves_to_others_goes_with_its_statement(statement: str) -> None:
    # without the function that changes everything, so that programs are kept
    document = Document(re.sub(r"def change.*?\n\n\n", "", SHARED, flags=re.S))
    kept = Analyser(MemoryWorkspace({"helper.py": HELPER}))
    kept.edits = True
    for _ in range(2):
        for old, new in (("    for p in", f"    {statement}\n    for p in"), (f"    {statement}\n", "")):
            at = document.text.index(old)
            document.edit(at, at + len(old), new)
            fresh = Analyser(MemoryWorkspace({"helper.py": HELPER}))
            assert findings(kept, document) == findings(fresh, Document(document.text))


IMPORTING = """
import json
from torch.nn import functional as F
from helper import Net


def train(loader, optimizer):
    model = Net()
    for images, labels in loader:
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()


def names():
    return json.load(open("names.json"))
"""


def test_an_imported_file_that_changes_is_read_again() -> None:
    workspace = MemoryWorkspace({"helper.py": HELPER})
    document = Document(IMPORTING)
    kept = Analyser(workspace)
    kept.edits = True
    assert findings(kept, document) == []
    result = "self.fc(self.conv(x).mean((2, 3)))"
    at = HELPER.index(result)
    workspace.document("/project/helper.py").edit(at, at + len(result), f"F.softmax({result}, 1)")
    document.edit(0, 0, "\n")
    assert [finding.code for finding in findings(kept, document)] == ["LS001"]


def test_a_program_is_kept_although_it_looked_for_data_files_and_imported_others() -> None:
    document = Document(IMPORTING)
    analyser = Analyser(MemoryWorkspace({"helper.py": HELPER}))
    analyser.edits = True
    first = analyser.program(PATH, document)
    document.edit(document.text.index("optimizer.step"), document.text.index("optimizer.step"), "print(1); ")
    assert analyser.program(PATH, document) is first


def test_a_method_that_begins_to_write_attributes_is_heeded() -> None:
    script = """
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 10)

    def late(self):
        pass

    def forward(self, x):
        return self.head(self.fc(x))
"""
    document = Document(script)
    kept = Analyser(MemoryWorkspace({}))
    kept.edits = True
    assert findings(kept, document) == []
    at = script.index("pass")
    document.edit(at, at + 4, "self.head = nn.Linear(7, 2)")
    assert findings(kept, document) == findings(Analyser(MemoryWorkspace({})), Document(document.text)) != []


def test_an_edit_inside_one_function_runs_only_that_entry() -> None:
    document = Document(long_script())
    analyser = Analyser(MemoryWorkspace({}))
    analyser.edits = True
    program = analyser.program(PATH, document)
    old, before = Shape(document.module), [entry.trace for entry in program.entries]
    at = document.text.index("lr=1e-3", document.text.index("def train_3")) + 3
    document.edit(at, at + 4, "0.5")
    assert update(program, old, Shape(document.module))
    again = [entry.name for entry, trace in zip(program.entries, before, strict=True) if entry.trace is not trace]
    assert again == ["train_3"]
