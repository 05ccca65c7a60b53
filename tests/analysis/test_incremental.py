"""After any sequence of edits the findings are those of a fresh analysis of the text."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from memory_workspace import MemoryWorkspace

from trainlint.analysis.incremental import Shape, update
from trainlint.rules.engine import Analyser
from trainlint.rules.finding import Finding
from trainlint.rules.registry import all_rules
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


@pytest.mark.parametrize("seed", range(12))
def test_edits_give_the_findings_of_a_fresh_analysis(seed: int) -> None:
    chance = random.Random(seed)
    document = Document(long_script())
    kept = Analyser(MemoryWorkspace({}))
    findings(kept, document)
    for _ in range(25):
        text = document.text
        start = chance.randrange(len(text))
        end = min(len(text), start + chance.choice([0, 0, 0, 1, 1, 4, 20]))
        document.edit(start, end, chance.choice(PIECES) if chance.random() < 0.7 else "")
        fresh = Analyser(MemoryWorkspace({}))
        assert findings(kept, document) == findings(fresh, Document(document.text))
        if chance.random() < 0.5:
            # undo, so that the file does not decay
            now = len(document.text) - (len(text) - (end - start))
            document.edit(start, start + now, text[start:end])
            assert document.text == text


def test_an_edit_inside_one_function_runs_only_that_entry() -> None:
    document = Document(long_script())
    analyser = Analyser(MemoryWorkspace({}))
    program = analyser.program(PATH, document)
    old, before = Shape(document.module), [entry.trace for entry in program.entries]
    at = document.text.index("lr=1e-3", document.text.index("def train_3")) + 3
    document.edit(at, at + 4, "0.5")
    assert update(program, old, Shape(document.module))
    again = [entry.name for entry, trace in zip(program.entries, before, strict=True) if entry.trace is not trace]
    assert again == ["train_3"]
