"""A program: one file under analysis with what it imports from the workspace, interpreted from all its entries."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from trainlint.analysis import registry
from trainlint.analysis.branches import put
from trainlint.analysis.classes import assigned_targets, default_instance
from trainlint.analysis.facts import Trace
from trainlint.analysis.files import File
from trainlint.analysis.frameworks import frameworks_of
from trainlint.analysis.functions import free_parameters
from trainlint.analysis.imports import Imports, set_module_names
from trainlint.analysis.joins import join
from trainlint.analysis.libraries import HARMLESS
from trainlint.analysis.looping import self_updating_names
from trainlint.analysis.modules import REST, is_module, is_module_class
from trainlint.analysis.run import MAX_COUNTED, Frame, Run
from trainlint.analysis.scope import Scope
from trainlint.analysis.sharing import Shared
from trainlint.analysis.statements import execute_block
from trainlint.analysis.tape import Tape
from trainlint.analysis.unrolling import calls_of, functions_of
from trainlint.analysis.values import Class, Const, Ext, Func, Instance, Mapping, Obj, Place, Unknown, Value, is_none
from trainlint.analysis.watching import Watch
from trainlint.analysis.workspace import Workspace
from trainlint.syntax import ir
from trainlint.syntax.document import Document

# statements interpreted for one file over all its entries (ANALYSIS §7: 50 ms a file)
MAX_FILE_STATEMENTS = 50_000
# statements interpreted in the sources of libraries: a large model takes 10 000 to be built and called
MAX_LIBRARY_STATEMENTS = 300_000
MAX_BUILT = 8
_MODEL_NAME = re.compile(
    r"(net|model|network|module|encoder|decoder|head|classifier|generator|discriminator|backbone)", re.I
)


class Entry:
    """One interpreted entry: what it reported, and the function bodies it ran (by identity of their statements).

    `leaves` says whether it changed objects that later entries meet too; known where `Program.shared` is kept.
    """

    __slots__ = ("cost", "defines", "facts", "func", "leaves", "name", "ran", "receiver", "trace")

    def __init__(
        self, name: str, func: Func | None, receiver: Value | None, run: Run, ran: frozenset[int], defines: bool
    ) -> None:
        self.cost = run.granted - run.budget
        self.leaves = False
        self.name = name
        self.func = func
        self.receiver = receiver
        self.trace = run.trace
        self.facts = run.facts
        self.ran = ran
        self.defines = defines


class Program:
    """Interprets one file: its module body, then every function and method that nothing else called."""

    def __init__(self, path: str, document: Document, workspace: Workspace) -> None:
        self.file = File(path, document)
        self.workspace = workspace
        self.files: dict[str, File] = {path: self.file}
        self.called: set[int] = set()
        self.defined: list[Func] = []
        self.classes: list[Class] = []
        self.traces: list[Trace] = []
        self.facts: list[object] = []
        self.spent = 0
        self.library_budget = MAX_LIBRARY_STATEMENTS
        # how often a cap cut something off, by the name of the cap
        self.caps: Counter[str] = Counter()
        # the first objects that the program builds of each module class
        self.built: dict[Class, list[Instance]] = {}
        self.entries: list[Entry] = []
        # the bodies that the entry in progress has run
        self.running: set[int] = set()
        self.referenced: set[str] = set()
        self.imports = Imports(self)
        # what entries share, kept where the program will be brought up to date after edits
        self.keeps = False
        self.shared: Shared | None = None
        # records what expressions and modules give, for hovers
        self.watch: Watch | None = None
        self.tape: Tape | None = None
        # values that stand in the place of what configuration files say
        self.restated: list[tuple[Place, Value]] = []
        # of tensors and layers that do not say it; None where it is not known
        self.default_dtype: str | None = "float32"
        # called before each statement; an error that it raises ends the interpretation
        self.heed: Callable[[], None] | None = None
        # counts displays and calls of all runs, see `Run.tick`
        self.clock = 0
        self.harmless = HARMLESS
        self.flags = Mapping({}, True)
        # what names from outside stand for
        self.externals: dict[str, Value] = {}
        self._updating: dict[ir.Stmt, frozenset[str]] = {}
        self._targets: dict[ir.Stmt, list[ir.Expr]] = {}
        self._calls: dict[ir.Stmt, frozenset[str]] = {}
        self._reached: dict[ir.Stmt, frozenset[str]] = {}
        self._sole_module: Class | None = None
        self._sole_known = False

    # entries

    def interpret(self) -> None:
        """Interpret everything and fill `facts` and `traces`."""
        file = self.file
        file.frameworks = frameworks_of(file.document.module)
        run = self.new_run("<module>")
        run.frames.append(Frame("<module>", scope=file.scope))
        set_module_names(file.scope, main=True)
        execute_block(run, file.scope, file.document.module.body)
        self._finish(run, None, None, defines=False)
        if self.keeps:
            self.shared = Shared(self)
        referenced = self.referenced = self.names_called()
        for roots in (True, False):
            for func in self._pending(referenced if roots else set()):
                self._interpret_function(func)
            for cls in list(self.classes):
                self._interpret_methods(cls, referenced if roots else set())
        self.collect()

    def collect(self) -> None:
        """Gather what the entries reported."""
        self.traces = [entry.trace for entry in self.entries]
        self.facts = [fact for entry in self.entries for fact in entry.facts]

    def names_called(self) -> set[str]:
        """The names that calls anywhere in the file are made by."""
        return set().union(*(unit.called for unit in self.file.document.units))

    def rerun(self, entry: Entry) -> Entry:
        """Interpret an entry again, on the same objects."""
        assert entry.func is not None
        run = self.new_run(entry.name)
        run.trace.owner = entry.func.owner
        known = len(self.defined) + len(self.classes)
        self.running = {id(entry.func.node)}
        self.enter(run, entry.func, entry.receiver)
        defines = len(self.defined) + len(self.classes) != known
        fresh = Entry(entry.name, entry.func, entry.receiver, run, frozenset(self.running), defines)
        fresh.leaves = self.shared is None or self.shared.changed()
        self.spent += fresh.cost - entry.cost
        return fresh

    def forget_statements(self) -> None:
        """What was found out about statements may not hold any more: their bodies change."""
        for table in (self._updating, self._targets, self._calls, self._reached):
            table.clear()

    def _pending(self, referenced: set[str]) -> list[Func]:
        waiting = [f for f in self.defined if id(f.node) not in self.called and f.name not in referenced]
        return sorted(waiting, key=lambda f: not f.name.startswith("main"))

    def _interpret_function(self, func: Func) -> None:
        if id(func.node) in self.called or func.file is not self.file or isinstance(func.node, ir.Lambda):
            return
        self._interpret_entry(func, None, func.name)

    def _interpret_methods(self, cls: Class, referenced: set[str]) -> None:
        methods = [m for m in cls.members.values() if isinstance(m, Func) and m.owner is cls]
        for func in methods:
            if id(func.node) in self.called or func.name in referenced or not isinstance(func.node, ir.FunctionDef):
                continue
            if func.name == "__init__" and cls.default_instance is None:
                instance = cls.default_instance = Instance(cls)
                instance.setting_up = True
                self._interpret_entry(func, instance, f"{cls.name}.__init__")
                instance.setting_up = False
                continue
            run = self.new_run("")
            instance = default_instance(run, cls)
            self._interpret_entry(func, instance, f"{cls.name}.{func.name}")

    def _interpret_entry(self, func: Func, receiver: Value | None, name: str) -> None:
        if self.left() < 0 or not isinstance(func.node, ir.FunctionDef):
            return
        self.called.add(id(func.node))
        run = self.new_run(name)
        run.trace.owner = func.owner
        known = len(self.defined) + len(self.classes)
        self.enter(run, func, receiver)
        self._finish(run, func, receiver, defines=len(self.defined) + len(self.classes) != known)

    def enter(self, run: Run, func: Func, receiver: Value | None) -> None:
        """Interpret a function whose caller is not known."""
        from trainlint.analysis.functions import decorator_context

        if not isinstance(func.node, ir.FunctionDef):
            return
        self.running.add(id(func.node))
        inner = Scope("function", func.file, func.scope, func.name)
        assuming, floors = run.assuming, (run.floor, run.attribute_floor)
        run.assuming = func.name == "__init__" and is_module(receiver)
        free_parameters(run, inner, func, receiver)
        run.frames.append(Frame(func.name, func.owner, run.tick(), inner))
        run.active.append(func.node)
        saved = run.grad
        try:
            decorator_context(run, func)
            execute_block(run, inner, func.node.body)
        finally:
            run.grad = saved
            run.assuming = assuming
            run.floor, run.attribute_floor = floors
            run.active.pop()
            run.frames.pop()
        if run.budget < 0 and isinstance(receiver, Instance) and func.name == "__init__":
            receiver.attrs[REST] = Unknown("the budget of statements is used up")

    def left(self) -> int:
        """Statements that may still be interpreted for this file."""
        return (MAX_FILE_STATEMENTS if self.tape is None else MAX_COUNTED) - self.spent

    def new_run(self, entry: str) -> Run:
        """A run of this program whose facts stand under the name of an entry."""
        return Run(self, Trace(entry, self.file))

    def silent_run(self) -> Run:
        """A run that asks a question about what was interpreted: it reports nothing and has a budget of its own."""
        run = self.new_run("")
        run.muted, run.budget = 1, 2_000
        run.frames.append(Frame(""))
        return run

    def _finish(self, run: Run, func: Func | None, receiver: Value | None, defines: bool) -> None:
        entry = Entry(run.trace.entry, func, receiver, run, frozenset(self.running), defines)
        self.spent += entry.cost
        self.entries.append(entry)
        self.running = set()
        if self.shared is not None:
            entry.leaves = self.shared.changed()
            self.shared.add(receiver)

    def initialise(self, run: Run, instance: Instance, init: Func) -> None:
        """Run `__init__` with unknown arguments, silently."""
        if init.node in run.active:
            return
        instance.setting_up = True
        # whichever branch needs the object first: what its constructor does is certain
        journal, run.journal = run.journal, None
        with run.silent():
            self.enter(run, init, instance)
        run.journal = journal
        instance.setting_up = False

    def ensure_instance(self, cls: Class) -> None:
        """Build the object that rules about the class look at, where nothing needed it so far."""
        if cls.default_instance is None:
            default_instance(self.new_run(""), cls)

    def run_writers(self, run: Run, instance: Instance, writers: set[str]) -> None:
        """Run the methods that assign an attribute, silently, once each: attributes made outside `__init__`."""
        for name in sorted(writers)[:2]:
            instance.tried.add(name)
            member = instance.cls.find(name)
            if not isinstance(member, Func) or member.node in run.active or run.depth > 3:
                continue
            before = dict(instance.attrs)
            journal, run.journal = run.journal, {}
            with run.silent():
                run.depth += 1
                self.enter(run, member, instance)
                run.depth -= 1
            changed, run.journal = run.journal, journal
            for holder, key, old in changed.values():
                if holder is not instance:
                    put(holder, key, old)
            # what __init__ proved stays; only what was missing or None is taken over
            for key, value in before.items():
                if is_none(value):
                    instance.attrs[key] = join(value, instance.attrs[key])
                elif not isinstance(value, Unknown):
                    instance.attrs[key] = value

    # names from outside

    def external(self, name: str) -> Value:
        """The external thing of a qualified name, one object per canonical name."""
        name = registry.canonical(name)
        found = self.externals.get(name)
        if found is None:
            number = registry.CONSTANTS.get(name)
            made = Const(number) if number is not None else self._from_library(name)
            found = self.externals[name] = made or Ext(name)
        return found

    def _from_library(self, name: str) -> Value | None:
        """A function or class of a library whose source is shipped, where a tape wants to know its inside."""
        located = self.workspace.library(name) if self.tape is not None and "." in name else None
        if located is None:
            return None
        path, document = located
        names = self.imports.load(path, document, library=True).names
        return names.get(name.rpartition(".")[2])

    def replace_external(self, external: Value, value: Value) -> None:
        """Give an external name a value that the program defines (`absl.flags.FLAGS`)."""
        if isinstance(external, Ext):
            self.externals[external.name] = value

    # assumptions

    def assumed_model(
        self, run: Run, scope: Scope, callee: Value, args: list[Value], kwargs: dict[str, Value]
    ) -> Instance | None:
        """The one model class of the file, for a parameter named like a model that is called: likely, never proved."""
        if not isinstance(callee, Unknown) or not callee.param or not _MODEL_NAME.search(callee.name):
            return None
        if scope.file is not self.file or not args:
            return None
        cls = self.sole_module()
        if cls is None or run.depth > 3:
            return None
        forward = cls.find("forward")
        if not isinstance(forward, Func) or forward.node in run.active:
            return None
        required = [p for p in forward.node.params[1:] if p.default is None and p.kind in ("normal", "positional")]
        if len(required) > len(args) + len(kwargs):
            return None
        return default_instance(run, cls)

    def sole_module(self) -> Class | None:
        """The only `nn.Module` class of the file that no other class of the file builds, if there is one."""
        if not self._sole_known:
            self._sole_known = True
            modules = [c for c in self.classes if c.file is self.file and is_module_class(c)]
            if len(modules) == 1 and isinstance(modules[0].find("forward"), Func):
                self._sole_module = modules[0]
        return self._sole_module

    def self_updating(self, stmt: ir.For | ir.While) -> frozenset[str]:
        found = self._updating.get(stmt)
        if found is None:
            found = self._updating[stmt] = self_updating_names(stmt)
        return found

    def targets(self, stmt: ir.For | ir.While) -> list[ir.Expr]:
        """What the body of a loop assigns."""
        found = self._targets.get(stmt)
        if found is None:
            found = self._targets[stmt] = assigned_targets(stmt.body)
        return found

    def note_built(self, instance: Instance) -> None:
        """Remember an object of a module class that the program builds."""
        known = self.built.setdefault(instance.cls, [])
        if len(known) < MAX_BUILT:
            known.append(instance)

    def calls_in(self, stmt: ir.For | ir.While) -> frozenset[str]:
        """The names that calls in the body of a loop are made by."""
        found = self._calls.get(stmt)
        if found is None:
            found = self._calls[stmt] = calls_of(stmt)
        return found

    def reached_from(self, stmt: ir.For | ir.While) -> frozenset[str]:
        """The names that calls in the body of a loop, and in functions of these names, are made by."""
        found = self._reached.get(stmt)
        if found is None:
            bodies: dict[str, list[ir.FunctionDef]] = {}
            for file in self.files.values():
                for function in functions_of(file.document.module.body):
                    bodies.setdefault(function.name, []).append(function)
            waiting, seen = set(self.calls_in(stmt)), set[str]()
            while waiting:
                name = waiting.pop()
                seen.add(name)
                for function in bodies.pop(name, ()):
                    waiting |= calls_of(function) - seen
            found = self._reached[stmt] = frozenset(seen)
        return found

    def attribute_written(self, run: Run, scope: Scope, holder: Obj, target: ir.Attr, value: Value) -> None:
        """Ops that care about attribute assignments (`model.fc = …`) hear of them here."""
        handler = registry.METHODS.get((holder.kind, "__setattr__"))
        if handler is not None:
            handler(registry.OpCall(run, scope, target, target.name, [value], {}, holder))
