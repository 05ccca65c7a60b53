"""Runs the analysis and the rules over a file. A rule that fails costs its own findings in that file, nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import trainlint.ops  # registers what library calls do
from trainlint.analysis.compare import compare_with_base
from trainlint.analysis.facts import Call, MemoryDemand, TrainLoop
from trainlint.analysis.incremental import Shape, reads_the_same, update
from trainlint.analysis.loops import derive
from trainlint.analysis.program import Program
from trainlint.analysis.references import stated_references
from trainlint.analysis.tape import Tape
from trainlint.analysis.values import Place
from trainlint.analysis.watching import Watch
from trainlint.analysis.workspace import Workspace
from trainlint.rules.finding import LEVELS, Finding, Level, Related
from trainlint.rules.registry import OWN_CODES, Rule, all_rules
from trainlint.syntax import ir
from trainlint.syntax.columns import span
from trainlint.syntax.document import Document
from trainlint.text.place import Span

if TYPE_CHECKING:
    from trainlint.analysis.describe import Told
    from trainlint.memory.estimate import Estimate
    from trainlint.memory.fits import Curve
    from trainlint.memory.notes import Notes
    from trainlint.memory.target import Target

assert trainlint.ops
log = logging.getLogger("trainlint")
# files whose values are kept for hovers
MOST_WATCHED = 4


class Base(NamedTuple):
    """The same file at the git base; `label` names it in messages ("the last commit", "origin/main")."""

    document: Document
    workspace: Workspace
    label: str


class Hover(NamedTuple):
    span: Span
    markdown: str


class Analyser:
    """Analyses the files of a workspace; what it knows of a file is kept while its text stays the same."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        # are files edited between checks, so that it pays to keep what does not change?
        self.edits = False
        self.failures: list[tuple[str, str, BaseException]] = []
        self._base: tuple[str, Document, Program] | None = None
        self._last: tuple[Document, Program, Shape] | None = None
        # by path, the last used at the end
        self._watched: dict[str, tuple[ir.Module, Program]] = {}
        self._weighed: tuple[Program, int | None, list[Curve]] | None = None
        self._heed: Callable[[], None] | None = None

    def forget(self, path: str) -> None:
        """A file changed on disk, in another editor buffer, or was closed.

        What is kept of a file itself is tied to its Document; only what other files read of it must go.
        """
        if self._last is not None and path != self._last[1].file.path:
            self._last = None
        for other in [other for other in self._watched if other != path]:
            del self._watched[other]
        if self._weighed is not None and path != self._weighed[0].file.path:
            self._weighed = None
        if self._base is not None and path != self._base[0]:
            self._base = None

    def program(self, path: str, document: Document, base: Base | None = None) -> Program:
        """The interpreted program of a file."""
        program = self._current(path, document)
        program.facts.extend(stated_references(program))
        if base is not None:
            program.facts.extend(compare_with_base(program, self._base_program(path, base), base.label))
        return program

    def _current(self, path: str, document: Document) -> Program:
        """The program of this version: the last one brought up to date where only function bodies changed."""
        if not self.edits:
            return interpret(path, document, self.workspace)
        shape = Shape(document.module)
        last, self._last = self._last, None
        if last is not None and last[0] is document and last[1].file.path == path:
            program = last[1]
            if update(program, last[2], shape):
                program.collect()
                derive(program)
                self._last = (document, program, shape)
                return program
        program = interpret(path, document, self.workspace, keeps=True, heed=self._pause)
        self._last = (document, program, shape)
        return program

    def _base_program(self, path: str, base: Base) -> Program:
        known = self._base
        if known is not None and known[0] == path and known[1] is base.document:
            # another commit may have the same file beside other ones
            if known[2].workspace is base.workspace or reads_the_same(known[2], base.workspace):
                return known[2]
        program = interpret(path, base.document, base.workspace)
        self._base = (path, base.document, program)
        return program

    def check(
        self,
        path: str,
        document: Document,
        rules: Collection[Rule],
        base: Base | None = None,
        target: Target | None = None,
        processes: int | None = None,
    ) -> list[Finding]:
        """The findings of the rules: neither suppressed nor sorted. Paths are as given.

        With a target GPU, the memory of training loops is estimated for the rules that ask for it; `processes` as for
        `memory`.
        """
        self.failures = []
        try:
            program = self.program(path, document, base)
        except Exception as error:
            self.failures.append((path, "analysis", error))
            log.exception("the analysis of %s failed", path)
            return []
        demands = self._demands(program, rules, target, processes)
        return list(self._findings(program, [*program.facts, *demands], rules))

    def _demands(
        self, program: Program, rules: Collection[Rule], target: Target | None, processes: int | None
    ) -> list[MemoryDemand]:
        """What the loops of a program ask of the target, or of any GPU; nothing is computed where no rule wants it."""
        asking = [rule for rule in rules if rule.fact is MemoryDemand]
        if not asking or not any(isinstance(fact, TrainLoop) for fact in program.facts):
            return []
        from trainlint.memory.vast import vast

        path = program.file.path
        try:
            if target is None and not vast(program):
                return []
            from trainlint.memory.demand import demands
            from trainlint.memory.estimate import estimates
            from trainlint.memory.fits import Curve
            from trainlint.memory.plan import Plan

            recorded = self._recorded(path, program.file.document)
            found = estimates(recorded, Plan(processes=processes))
            return list(demands(recorded, map(Curve, found), target))
        except Exception as error:
            self.failures += [(path, rule.code, error) for rule in asking]
            log.exception("the memory of %s cannot be estimated", path)
            return []

    def _findings(self, program: Program, facts: Iterable[object], rules: Collection[Rule]) -> Iterator[Finding]:
        table = subscriptions(rules)
        seen: set[tuple[str, Place, str]] = set()
        dead: set[str] = set()
        for fact in facts:
            for rule in table.get(type(fact), ()):
                if rule.code in dead or not wanted(rule, fact):
                    continue
                self._pause()
                try:
                    for draft in rule.check(fact):
                        key = (rule.code, draft.place, "")
                        if key not in seen:
                            seen.add(key)
                            yield finished(rule, draft)
                except Exception as error:
                    dead.add(rule.code)
                    self.failures.append((program.file.path, rule.code, error))
                    log.exception("rule %s failed on %s", rule.id, program.file.path)

    def hover(self, path: str, document: Document, line: int, column: int) -> Hover | None:
        """What is known of the expression at a 1-based line and column."""
        from trainlint.analysis.describe import describe

        found = describe(self.watched(path, document), line, column)
        return Hover(*found) if found is not None else None

    def glance(self, path: str, document: Document, line: int, column: int) -> tuple[bool, Hover | None]:
        """What the last program with values says of a place, without interpreting anything; was it of this text?

        Of an older text only what stands as it stood is told.
        """
        from trainlint.analysis.describe import describe

        known = self._watched.get(path)
        if known is None:
            return False, None
        found = describe(known[1], line, column)
        return known[0] is document.module, None if found is None else Hover(*found)

    @contextmanager
    def heeding(self, heed: Callable[[], None] | None) -> Iterator[None]:
        """Inside, `heed` is called again and again; an error that it raises ends the work."""
        before, self._heed = self._heed, heed
        try:
            yield
        finally:
            self._heed = before

    def memory(
        self,
        path: str,
        document: Document,
        batch: int | None = None,
        target: Target | None = None,
        processes: int | None = None,
        heed: Callable[[], None] | None = None,
    ) -> list[Estimate]:
        """The memory of a step of each training loop of a file, on a GPU where one is meant.

        `processes` share what is sharded; None: as many as the program says. `heed` is called again and again, now and
        when a step is played later; an error that it raises ends the work.
        """
        from trainlint.memory.device import cublas_workspace
        from trainlint.memory.estimate import estimates
        from trainlint.memory.plan import Plan

        workspace = cublas_workspace(target.gpu if target is not None else None)
        return estimates(self._recorded(path, document, heed), Plan(batch, workspace=workspace, processes=processes))

    def estimates(
        self,
        path: str,
        document: Document,
        batch: int | None,
        heed: Callable[[], None] | None = None,
        processes: int | None = None,
    ) -> list[Estimate]:
        """The memory of each training loop at a batch size, of the program that notes are made from."""
        with self.heeding(heed):
            curves = self._curves(self.watched(path, document), processes)
            return [curve.first if batch is None else curve.at(batch) for curve in curves]

    def _recorded(self, path: str, document: Document, heed: Callable[[], None] | None = None) -> Program:
        """The program of a file with its tensor operations."""
        program = Program(path, document, self.workspace)
        program.tape, program.watch, program.heed = Tape(), Watch(frozenset()), heed
        program.interpret()
        derive(program)
        return program

    def facts_at(self, path: str, document: Document, line: int) -> list[str]:
        """The facts and values of a 1-based line, for people who write rules."""
        from trainlint.analysis.describe import facts_on_line

        return facts_on_line(self.watched(path, document), line)

    def told_at(self, path: str, document: Document, line: int, rows: int) -> list[Told]:
        """What there is to say about each expression of a 1-based line, with tables of at most so many rows."""
        from trainlint.analysis.describe import told

        return told(self.watched(path, document), line, rows)

    def notes(
        self,
        path: str,
        document: Document,
        named: Callable[[str, int], str],
        rules: Collection[Rule] = (),
        target: Target | None = None,
        heed: Callable[[], None] | None = None,
        processes: int | None = None,
    ) -> tuple[Notes, list[Finding]]:
        """What an editor shows of the memory of a file, and the findings of the rules that ask for it.

        `named` writes a place; an error that `heed` raises ends the work; `processes` as for `memory`.
        """
        from trainlint.memory.demand import demands
        from trainlint.memory.notes import notes_of

        self.failures = []
        with self.heeding(heed):
            program = self.watched(path, document)
            curves = self._curves(program, processes)
            asked = list(demands(program, curves, target)) if rules else []
            return notes_of(program, curves, named, target), list(self._findings(program, asked, rules))

    def _curves(self, program: Program, processes: int | None) -> list[Curve]:
        """The memory of each training loop. What was played is kept: work that gave way goes on where it was."""
        from trainlint.memory.estimate import estimates
        from trainlint.memory.fits import Curve
        from trainlint.memory.plan import Plan

        known = self._weighed
        if known is None or known[0] is not program or known[1] != processes:
            curves = [Curve(one) for one in estimates(program, Plan(processes=processes))]
            known = self._weighed = (program, processes, curves)
        return known[2]

    def _pause(self) -> None:
        if self._heed is not None:
            self._heed()

    def watched(self, path: str, document: Document) -> Program:
        """The program of this version of a file with the values of its expressions: interpreted once a version."""
        from trainlint.analysis.describe import watched

        known = self._watched.get(path)
        if known is None or known[0] is not document.module:
            # until it is there, the one before is what is known
            known = (document.module, watched(path, document, self.workspace, self._pause))
        self._watched.pop(path, None)
        self._watched[path] = known
        if len(self._watched) > MOST_WATCHED:
            del self._watched[next(iter(self._watched))]
        return known[1]


def interpret(
    path: str,
    document: Document,
    workspace: Workspace,
    keeps: bool = False,
    heed: Callable[[], None] | None = None,
) -> Program:
    program = Program(path, document, workspace)
    program.keeps, program.heed = keeps, heed
    program.interpret()
    derive(program)
    return program


def subscriptions(rules: Collection[Rule]) -> dict[type, list[Rule]]:
    table: dict[type, list[Rule]] = {}
    for rule in rules:
        table.setdefault(rule.fact, []).append(rule)
    return table


def wanted(rule: Rule, fact: object) -> bool:
    """Does the rule look at this call? Other facts it sees all."""
    if rule.names is None or not isinstance(fact, Call):
        return True
    return any(fact.name == n or (n[-1] == "*" and fact.name.startswith(n[:-1])) for n in rule.names)


def finished(rule: Rule, draft: Any) -> Finding:
    """The finding with code, level and exact columns."""
    level: Level = draft.level or rule.level
    if draft.certainty != "proved":
        level = LEVELS[min(LEVELS.index(level) + 1, len(LEVELS) - 1)]
    related = tuple(Related(b.place.path, place_span(b.place), b.message) for b in draft.because)
    return Finding(
        rule.code,
        rule.id,
        rule.family,
        level,
        draft.certainty,
        draft.message,
        draft.place.path,
        place_span(draft.place),
        related,
        draft.fixes,
        None,
        rule.url,
    )


def place_span(place: Place) -> Span:
    if place.span is not None:
        return place.span
    return span(place.node) if place.node is not None else Span(1, 1, 1, 1)


__all__ = ["OWN_CODES", "Analyser", "Base", "Hover", "all_rules"]
