"""Names of documents: the client's URIs, the keys we compare them by, and paths of files."""

from __future__ import annotations

import os
import re
from urllib.parse import quote, unquote, urlsplit

_DRIVE = re.compile(r"/[A-Za-z]:")

# Read-only views that editors open beside the real file (the left side of a diff, output panes): never linted.
VIEWS = frozenset(
    {"git", "gitlens", "gitfs", "output", "debug", "search-editor", "vscode-scm", "pr", "review", "comment"}
)


def scheme(uri: str) -> str:
    return uri.partition(":")[0].lower()


def document_key(uri: str) -> str:
    """The form under which two spellings of one URI compare equal.

    Percent escapes are decoded and a Windows drive letter is made lower case (`file:///C%3A/x` is `file:///c:/x`).
    """
    decoded = unquote(uri)
    head, separator, rest = decoded.partition("://")
    if separator and _DRIVE.match(rest):
        rest = rest[0] + rest[1].lower() + rest[2:]
    return f"{head.lower()}{separator}{rest}" if separator else decoded


def file_path(uri: str, windows: bool = os.name == "nt") -> str | None:
    """The path that a `file:` URI names, None for every other scheme.

    On Windows the drive letter is lower case and separators are backslashes. `;` is part of the path (RFC 8089).
    """
    parts = urlsplit(uri)
    if parts.scheme.lower() != "file":
        return None
    path = unquote(parts.path)
    if parts.netloc and parts.netloc != "localhost":
        path = f"//{unquote(parts.netloc)}{path}"
    elif _DRIVE.match(path):
        path = path[1].lower() + path[2:]
    return path.replace("/", "\\") if windows else path


def file_uri(path: str) -> str:
    """A `file:` URI of an absolute path, for files that the client has not named itself."""
    forward = path.replace("\\", "/") if os.name == "nt" else path
    if forward.startswith("//"):
        host, _, rest = forward[2:].partition("/")
        return f"file://{host}/{quote(rest)}"
    if re.match(r"[A-Za-z]:", forward):
        return f"file:///{forward[0].lower()}:{quote(forward[2:])}"
    return f"file://{quote(forward)}"


def stand_in_path(uri: str, root: str | None) -> str:
    """A path for a document that is no file (untitled, a remote scheme), so that it has a name inside the program.

    It lies in the workspace root (its configuration applies) and is chosen so that no real file has it.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", unquote(uri)).strip("_") or "untitled"
    suffix = "" if name.endswith((".py", ".pyi", ".ipynb")) else ".py"
    return os.path.join(root or os.path.abspath(os.sep), f".trainlint-unsaved-{name}{suffix}")
