"""Decorators of workspace functions and classes: what they note down, and which of them is a property's accessor."""

from __future__ import annotations

from trainlint.analysis import calls
from trainlint.analysis.attributes import dotted
from trainlint.analysis.expressions import evaluate
from trainlint.analysis.run import Run
from trainlint.analysis.scope import Scope
from trainlint.analysis.values import Class, Ext, Func, Place
from trainlint.syntax import ir


def accessor_of(stmt: ir.FunctionDef) -> str | None:
    """`setter` or `deleter` of `@name.setter`, None for anything else."""
    for decorator in stmt.decorators:
        owner, _, last = dotted(decorator).rpartition(".")
        if owner == stmt.name and last in ("setter", "deleter"):
            return last
    return None


def run_decorators(run: Run, scope: Scope, made: Func | Class) -> Func | Class:
    """Run the decorators of the workspace for what they write down (`MODELS[name] = cls`).

    What is decorated stays itself: a decorator that wraps gives, as a rule, something that is called the same way.
    Where memory is counted the function that wraps is followed: it may call what it wraps once only, or keep what it
    gives.
    """
    with run.silent():
        for decorator in reversed(made.node.decorators if isinstance(made.node, (ir.FunctionDef, ir.ClassDef)) else []):
            function = evaluate(run, scope, decorator)
            if isinstance(function, Ext) and function.name == "torch.compile" and run.program.tape is not None:
                run.program.tape.compiled.append(Place(scope.file.path, decorator))
            if isinstance(function, Func):
                seen = id(function.node) in run.program.called
                result = calls.call(run, scope, function, [made], {}, decorator)
                if run.program.tape is not None and isinstance(made, Func) and isinstance(result, Func):
                    made = result
                if not seen:
                    # it is still looked into for its own sake
                    run.program.called.discard(id(function.node))
    return made
