"""Which programs are worth an estimate although no GPU is named: those that may fit no single GPU."""

from __future__ import annotations

from trainlint.analysis import dims
from trainlint.analysis.facts import DataLoader, Optimizer
from trainlint.analysis.listing import optimised
from trainlint.analysis.parameters import holdings
from trainlint.analysis.program import Program

# samples, and parameters that are trained
LARGE_BATCH = 512
LARGE_MODEL = 500_000_000


def vast(program: Program) -> bool:
    """May a step of the program be too large for every single GPU?

    It tells what is worth an estimate, and proves nothing.
    """
    for fact in program.facts:
        if isinstance(fact, DataLoader) and (dims.usual(fact.batch_size) or 0) >= LARGE_BATCH:
            return True
        if isinstance(fact, Optimizer):
            count = sum(dims.usual(holdings(model).least) or 0 for model in optimised(fact.value))
            if count >= LARGE_MODEL:
                return True
    return False
