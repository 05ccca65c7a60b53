"""What the analysis asks of the outside: files of the workspace, handed in by `trainlint.project`. No IO here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from trainlint.text.place import Span

if TYPE_CHECKING:
    from trainlint.syntax.document import Document


@dataclass(frozen=True, slots=True)
class ConfigNode:
    """A value of a YAML, JSON or TOML file with its place: a scalar, a dict of nodes or a list of nodes."""

    value: object
    path: str
    span: Span


class Workspace(Protocol):
    """The files that may be looked at. All paths are absolute strings."""

    def module(self, importer: str, level: int, dotted: str) -> tuple[str, Document] | None:
        """The workspace file that `from {level dots}{dotted} import …` in the file `importer` means, or None.

        Looks in the importer's folder, its package and the workspace roots; never outside, never in site-packages.
        """
        ...

    def library(self, name: str) -> tuple[str, Document] | None:
        """The shipped source that defines a qualified name of a library (`torchvision.models.resnet50`), or None."""
        ...

    def data_file(self, importer: str, name: str) -> ConfigNode | None:
        """The parsed YAML/JSON/TOML file `name`, relative to the importer's folder or the root, or None."""
        ...
