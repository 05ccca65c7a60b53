"""The shipped sources of library models (`trainlint/ops/library`), as documents: data that comes with trainlint.

`tools/gen_library.py` writes them. They are read from trainlint's own package, never from an installed library.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainlint.syntax.document import Document


@cache
def index() -> dict[str, str]:
    """The module that defines a name, by its qualified names: `torchvision.models.resnet50`, `….resnet.resnet50`."""
    loaded: dict[str, str] = json.loads((files("trainlint.ops") / "library" / "index.json").read_text(encoding="utf-8"))
    return loaded


def library(name: str) -> tuple[str, Document] | None:
    """The file and the document of the module that defines a qualified name, or None where it is not shipped."""
    module = index().get(name)
    return None if module is None else source(module)


@cache
def source(module: str) -> tuple[str, Document]:
    """A shipped module, parsed once a process."""
    from trainlint.syntax.document import Document

    path = "library/" + module.replace(".", "/") + ".txt"
    text = files("trainlint.ops").joinpath(*path.split("/")).read_text(encoding="utf-8")
    return f"<{module}>", Document(text)
