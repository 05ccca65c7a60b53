"""What `import` binds: modules of the workspace, interpreted once and silently, libraries, data files."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from trainlint.analysis.attributes import WorkspaceModule
from trainlint.analysis.files import File
from trainlint.analysis.libraries import is_library
from trainlint.analysis.run import Frame
from trainlint.analysis.scope import Scope
from trainlint.analysis.statements import execute_block
from trainlint.analysis.values import Const, Mapping, Place, Seq, Step, Unknown, Value
from trainlint.analysis.workspace import ConfigNode
from trainlint.syntax import ir
from trainlint.syntax.document import Document

if TYPE_CHECKING:
    from trainlint.analysis.program import Program

MAX_IMPORT_DEPTH = 5
# where memory is counted
MAX_IMPORT_DEPTH_COUNTED = 12


class Imports:
    """Resolves the imports of a program's files."""

    def __init__(self, program: Program) -> None:
        self._program = program
        # the questions to the workspace (importer, level or -1 for a data file, name) and what the answers were
        self.asked: dict[tuple[str, int, str], object] = {}
        self._importing: list[str] = [program.file.path]

    def module(self, file: File, dotted: str, full: str | None = None) -> Value:
        """`import dotted`: a workspace module or an external one. `full` is what `import a.b` without alias names."""
        if is_library(dotted):
            return self._program.external(dotted)
        module = self._located(file, 0, dotted)
        if module is None and full is not None and full != dotted:
            inner = self._located(file, 0, full)
            if inner is not None:
                return self._package_of(full, inner)
        if module is not None and full is not None and full != dotted:
            inner = self._located(file, 0, full)
            if inner is not None:
                self._attach(module, full.split(".")[1:], inner)
        return module if module is not None else self._program.external(dotted)

    def _package_of(self, full: str, inner: WorkspaceModule) -> WorkspaceModule:
        head = WorkspaceModule("", {})
        self._attach(head, full.split(".")[1:], inner)
        return head

    def _attach(self, module: WorkspaceModule, parts: list[str], inner: WorkspaceModule) -> None:
        for part in parts[:-1]:
            child = module.names.get(part)
            if not isinstance(child, WorkspaceModule):
                child = module.names[part] = WorkspaceModule("", {})
            module = child
        module.names[parts[-1]] = inner

    def name(self, file: File, level: int, module: str, name: str) -> Value:
        """`from {level}{module} import name`."""
        if level == 0 and is_library(module):
            return self._program.external(f"{module}.{name}")
        found = self._located(file, level, module)
        if found is not None:
            value = found.names.get(name)
            if value is not None:
                return value
        inner = self._located(file, level, f"{module}.{name}" if module else name)
        if inner is not None:
            return inner
        if level == 0 and found is None:
            return self._program.external(f"{module}.{name}")
        return Unknown(name)

    def star(self, scope: Scope, level: int, module: str) -> None:
        """`from {level}{module} import *`."""
        found = None if level == 0 and is_library(module) else self._located(scope.file, level, module)
        if found is not None:
            listed = found.names.get("__all__")
            public = (
                [v.value for v in listed.items if isinstance(v, Const)]
                if isinstance(listed, Seq) and listed.items
                else None
            )
            for name, value in found.names.items():
                if name in public if public is not None else not name.startswith("_"):
                    scope.bind(name, value)
        elif level == 0:
            scope.module().stars.append(module)
        else:
            scope.module().stars += ["?", "?"]

    def attribute(self, module: WorkspaceModule, name: str) -> Value:
        """`module.name`: what the module binds, or a module inside the package."""
        found = module.names.get(name)
        if found is None:
            file = self._program.files.get(module.path)
            inner = self._located(file, 1, name) if file is not None else None
            found = inner if inner is not None else Unknown(name)
            module.names[name] = found
        return found

    def _located(self, file: File, level: int, dotted: str) -> WorkspaceModule | None:
        located = self._program.workspace.module(file.path, level, dotted)
        self.asked[file.path, level, dotted] = answer_of(located)
        return None if located is None else self.load(*located)

    def load(self, path: str, document: Document, library: bool = False) -> WorkspaceModule:
        """The names of a file, which is interpreted when it is first asked for."""
        known = self._program.files.get(path)
        if known is None:
            if len(self._importing) > (MAX_IMPORT_DEPTH if self._program.tape is None else MAX_IMPORT_DEPTH_COUNTED):
                self._program.caps["imports"] += 1
                return WorkspaceModule(path, {})
            known = self._program.files[path] = File(path, document, library)
            self._importing.append(path)
            run = self._program.new_run(path)
            run.frames.append(Frame("<module>"))
            set_module_names(known.scope, main=False)
            with run.silent():
                execute_block(run, known.scope, document.module.body)
            self._importing.pop()
        return WorkspaceModule(path, known.scope.names)

    def data_file(self, file: File, name: str) -> Value | None:
        """A YAML, JSON or TOML file of the workspace as a value: every scalar is an overridable default."""
        node = self._program.workspace.data_file(file.path, name)
        self.asked[file.path, -1, name] = node
        return config_value(node, self._program.restated) if node is not None else None


def set_module_names(scope: Scope, main: bool) -> None:
    """`__name__` of a file: that of the file that is run is `__main__`."""
    scope.names["__name__"] = Const("__main__" if main else scope.file.path.rpartition("/")[2].removesuffix(".py"))


def answer_of(located: tuple[str, Document] | None) -> tuple[str, ir.Module] | None:
    """What tells one answer of `Workspace.module` from another."""
    return None if located is None else (located[0], located[1].module)


def config_value(node: ConfigNode, restated: Collection[tuple[Place, Value]] = ()) -> Value:
    """A node of a configuration file as an abstract value with its place as the literal.

    `restated` are values that stand in the place of what is written.
    """
    place = Place(node.path, None, node.span)
    origin = Step(place, "configuration")
    content = node.value
    if isinstance(content, dict):
        return Mapping({key: config_value(child, restated) for key, child in content.items()}, False, origin)
    if isinstance(content, list):
        return Seq("list", [config_value(child, restated) for child in content], None, origin)
    other = next((value for where, value in restated if (where.path, where.span) == (node.path, node.span)), None)
    name = node.path.rpartition("/")[2]
    return other if other is not None else Const(content, origin, f"`{name}`", place)
