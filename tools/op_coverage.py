"""How many operation sites of real forward methods the interpreter resolves, and why not the others.

    python tools/op_coverage.py FOLDER…

A site is a call, operator, subscript or attribute inside a method named `forward…` of a class, whose operands or result
are tensors. It counts as

* shape: the result is a tensor of known rank with its axes, or a known Python value;
* tail: only the last axes are known (the input's rank is not);
* input: nothing is known of the operands, so nothing can be said;
* operation: the operands are known and the result is not (these are listed: the op table lacks them).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import trainlint.ops  # noqa: E402
from trainlint.analysis.arrays import Array  # noqa: E402
from trainlint.analysis.attributes import dotted  # noqa: E402
from trainlint.analysis.describe import walk  # noqa: E402
from trainlint.analysis.program import Program  # noqa: E402
from trainlint.analysis.values import Const, Seq, Sym, Value  # noqa: E402
from trainlint.analysis.watching import Watch  # noqa: E402
from trainlint.project.workspace import FileWorkspace  # noqa: E402
from trainlint.syntax import ir  # noqa: E402
from trainlint.syntax.document import Document  # noqa: E402

assert trainlint.ops


def forwards(document: Document) -> list[ir.FunctionDef]:
    """The forward methods of the file's classes."""
    return [
        method
        for stmt in walk(document.module.body)
        if isinstance(stmt, ir.ClassDef)
        for method in stmt.body
        if isinstance(method, ir.FunctionDef) and method.name.startswith("forward")
    ]


def parts(expr: ir.Expr) -> list[ir.Expr]:
    """The operands of a site."""
    if isinstance(expr, ir.Call):
        receiver = [expr.func.value] if isinstance(expr.func, ir.Attr) else []
        return [*receiver, *expr.args, *(value for _, value in expr.keywords)]
    if isinstance(expr, ir.BinOp):
        return [expr.left, expr.right]
    if isinstance(expr, (ir.Subscript, ir.Attr)):
        return [expr.value]
    return []


def label(expr: ir.Expr) -> str:
    """The operation as it is written: `.view`, `torch.cat`, `+`, `[]`."""
    if isinstance(expr, ir.Call):
        return f".{expr.func.name}()" if isinstance(expr.func, ir.Attr) else f"{dotted(expr.func)}()"
    if isinstance(expr, ir.BinOp):
        return expr.op
    return f".{expr.name}" if isinstance(expr, ir.Attr) else "[]"


def tensor(value: Value | None) -> bool:
    if isinstance(value, Seq):
        return any(isinstance(item, Array) for item in value.items or ())
    return isinstance(value, Array)


def resolved(value: Value | None) -> str | None:
    """`shape` or `tail` where something is known of the result."""
    if isinstance(value, (Const, Sym)):
        return "shape"
    if isinstance(value, Seq) and value.items is not None:
        kinds = {resolved(item) for item in value.items}
        return None if None in kinds else "tail" if "tail" in kinds else "shape"
    if isinstance(value, Array):
        return "shape" if value.shape is not None else "tail" if value.tail is not None else None
    return None


def count(path: Path, workspace: FileWorkspace, total: Counter[str], missing: Counter[str]) -> None:
    """Add the sites of one file."""
    document = Document(path.read_text(encoding="utf-8"))
    methods = forwards(document)
    if not methods:
        return
    program = Program(str(path), document, workspace)
    watch = program.watch = Watch(frozenset(stmt for method in methods for stmt in walk(method.body)))
    program.interpret()
    values = {where: next(reversed(seen.values())).value for where, seen in watch.values.items()}
    for stmt in watch.statements:
        for expr in expressions(stmt):
            judge(expr, values, total, missing)


def expressions(stmt: ir.Stmt) -> list[ir.Expr]:
    """Every expression of one statement, without those of the blocks inside it."""
    found: dict[int, ir.Expr] = {}
    stack: list[object] = [getattr(stmt, name, None) for cls in type(stmt).__mro__ for name in slots(cls)]
    while stack:
        item = stack.pop()
        if isinstance(item, ir.Expr) and item.stmt is stmt and item.ord not in found:
            found[item.ord] = item
            inner = [getattr(item, name, None) for name in slots(type(item))]
            if isinstance(item, ir.Call) and isinstance(item.func, ir.Attr):
                # the method of a call is no operation of its own
                inner = [item.func.value, *(part for part in inner if part is not item.func)]
            stack += inner
        elif isinstance(item, (tuple, list)):
            stack += item
    return list(found.values())


def slots(cls: type) -> tuple[str, ...]:
    names = getattr(cls, "__slots__", ())
    return (names,) if isinstance(names, str) else tuple(names)


def judge(expr: ir.Expr, values: dict[tuple[ir.Stmt, int], Value], total: Counter[str], missing: Counter[str]) -> None:
    """Count one expression where it is an operation on tensors."""
    operands = [values.get((part.stmt, part.ord)) for part in parts(expr)]
    result = values.get((expr.stmt, expr.ord))
    if result is None:
        # never reached
        return
    if not (any(map(tensor, operands)) or tensor(result)):
        return
    kind = resolved(result)
    if kind is None:
        known = [operand for operand in operands if tensor(operand) and resolved(operand) is not None]
        kind = "operation" if known else "input"
        if known:
            missing[label(expr)] += 1
    total[kind] += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", nargs="+", type=Path)
    folders = parser.parse_args().folders
    total: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    for folder in folders:
        workspace = FileWorkspace([folder])
        for path in sorted(folder.rglob("*.py")):
            try:
                count(path, workspace, total, missing)
            except (OSError, UnicodeDecodeError):
                continue
    sites = sum(total.values())
    print(f"{sites} operation sites in forward methods")
    for kind, number in total.most_common():
        print(f"  {kind:10} {number:6}  {number / max(1, sites):.1%}")
    print("unresolved although the operands are known:")
    for name, number in missing.most_common(40):
        print(f"  {number:5}  {name}")


if __name__ == "__main__":
    main()
