"""Learning rates with a reference batch stated beside them, in a comment, a help text or a name."""

from __future__ import annotations

import re

from trainlint.analysis.compare import loaders, optimizers
from trainlint.analysis.facts import StatedReference
from trainlint.analysis.program import Program
from trainlint.analysis.values import Const, Place, Value, number
from trainlint.syntax import ir

_NUMBER = r"(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)"
# "0.1 for batch 256", "lr=0.1 at a batch size of 256", "for batch size 256", "(bs=256)"
_STATED = re.compile(
    rf"(?:{_NUMBER}\s*)?(?:is\s+|was\s+|tuned\s+|works\s+)?(?:for|at|with|per|@)\s+(?:an?\s+|the\s+)?"
    r"(?:total\s+|global\s+|effective\s+|reference\s+|base\s+)*(?:batch(?:[ _-]?size)?|bs)\s*(?:of|=|:|is)?\s*(\d+)",
    re.I,
)
_NAMED = re.compile(r"(?:^|_)lr_?(?:per|for|at)_?(\d{2,6})$", re.I)


def stated_references(program: Program) -> list[StatedReference]:
    """References near the literal of a learning rate that disagree with the batch of the training loader."""
    table = loaders(program)
    if len(table) != 1:
        return []
    (loader,) = table.values()
    batch = number(loader.batch_size)
    result = []
    for optimizer in optimizers(program).values():
        lr = optimizer.lr
        if batch is None or not isinstance(lr, Const) or lr.literal is None or lr.literal.node is None:
            continue
        found = stated_near(program, lr.literal)
        if found is None:
            continue
        stated_lr, stated_batch, words = found
        agrees = stated_lr is None or stated_lr == number(lr)
        if agrees and stated_batch != batch:
            value: Value = loader.batch_size
            result.append(StatedReference(optimizer, loader, lr, value, stated_lr, stated_batch, lr.literal, words))
    return result


def stated_near(program: Program, literal: Place) -> tuple[float | None, float, str] | None:
    """(stated lr or None, stated batch, the words) from the comment, help text or name at a literal."""
    node = literal.node
    stmt = node.stmt if isinstance(node, ir.Expr) else node
    if stmt is None or literal.path != program.file.path:
        return None
    for text in nearby_texts(program, stmt):
        match = _STATED.search(text)
        if match is not None:
            stated = float(match.group(1)) if match.group(1) else None
            return stated, float(match.group(2)), match.group(0).strip()
    if isinstance(stmt, ir.Assign):
        for target in stmt.targets:
            name = target.id if isinstance(target, ir.Name) else getattr(target, "name", "")
            match = _NAMED.search(name) if isinstance(name, str) else None
            if match is not None:
                return None, float(match.group(1)), name
    return None


def nearby_texts(program: Program, stmt: ir.Stmt) -> list[str]:
    """Comments on the lines of the statement or right above it, and the `help` of an argparse option."""
    first, last = stmt.first_line, stmt.last_line
    texts = [
        c.text
        for c in program.file.document.comments
        if first <= c.line <= last or (c.own_line and c.line == first - 1)
    ]
    if isinstance(stmt, ir.ExprStmt) and isinstance(stmt.value, ir.Call):
        texts += [
            value.value
            for name, value in stmt.value.keywords
            if name == "help" and isinstance(value, ir.Const) and isinstance(value.value, str)
        ]
    return texts
