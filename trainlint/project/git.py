"""Reading git: revisions and blobs. Nothing that a repository's own configuration says is run.

Only plumbing is called (rev-parse, merge-base, ls-tree, cat-file): no checkout, no diff, so no filters and no textconv;
hooks, the file system monitor, lazy fetches and every transport are off; there is no shell, and a limit on time.
"""

from __future__ import annotations

import os
import subprocess
import threading
from dataclasses import dataclass
from functools import lru_cache

from trainlint.project.errors import UsageError

_SETTINGS = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "protocol.allow=never",
    "core.sshCommand=false",
    "credential.helper=",
)
_SAFE = [word for setting in _SETTINGS for word in ("-c", setting)]
_SAFE += ["--no-pager", "--no-optional-locks", "--literal-pathspecs", "--no-replace-objects"]
_SECONDS = 20


class GitError(UsageError):
    """A revision or repository that git cannot read; one line for a person."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a repository. `label` says in words what it is: "the last commit", "origin/main"."""

    repository: str
    id: str
    label: str


def _environment() -> dict[str, str]:
    # set by git for hooks; they would point at another repository than the one of the file
    drop = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"}
    kept = {name: value for name, value in os.environ.items() if name not in drop}
    return {
        **kept,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "LC_ALL": "C",
    }


def _git(folder: str, *arguments: str) -> bytes | None:
    """The output of a git command, None where it failed. Raises GitError where git is missing or hangs."""
    try:
        done = subprocess.run(
            ["git", *_SAFE, "-C", folder, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise GitError("git is not installed: there is no base to compare with") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitError(f"git did not answer in {folder}: {error}") from None
    return done.stdout if done.returncode == 0 else None


@lru_cache(maxsize=4096)
def repository_of(folder: str) -> str | None:
    """The top folder of the repository that holds `folder`, or None. Raises GitError."""
    if not os.path.isdir(folder):
        return None
    answer = _git(folder, "rev-parse", "--show-toplevel")
    top = os.fsdecode(answer).rstrip("\r\n") if answer else ""
    return os.path.normpath(top) if top else None


def resolve_rev(root: str, rev: str) -> Commit:
    """The commit to compare with: the merge base of `rev` and HEAD, else the commit `rev` itself.

    Raises GitError for a folder outside a repository and for an unknown revision, naming it.
    """
    repository = repository_of(root)
    if repository is None:
        raise GitError(f"--diff-base {rev}: {root} is not inside a git repository")
    answer = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", rev + "^{commit}")
    if not answer:
        raise GitError(f"--diff-base: unknown revision '{rev}' in the repository {repository}")
    commit = answer.decode("ascii").strip()
    base = _git(repository, "merge-base", commit, "HEAD")
    chosen = base.decode("ascii").split()[0] if base and base.strip() else commit
    return Commit(repository, chosen, "the last commit" if rev in ("HEAD", "@") else rev)


def base_text(path: str, rev: str) -> str | None:
    """The text of a file at a revision; None where it is not there or no text. Raises GitError."""
    from trainlint.project.source import UnreadableSource, decode

    commit = resolve_rev(os.path.dirname(path), rev)
    with Blobs(commit) as blobs:
        raw = blobs.read(path)
    if raw is None:
        return None
    try:
        return decode(raw).text
    except UnreadableSource:
        return None


class Blobs:
    """The files of one commit, by absolute path in the working tree. Reads through one `git cat-file --batch`."""

    def __init__(self, commit: Commit) -> None:
        self.commit = commit
        self._top = os.path.realpath(commit.repository)
        self._ids: dict[str, str] | None = None
        self._folders: set[str] = set()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Blobs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def blob_id(self, path: str) -> str | None:
        """The object id of a file's content at the commit, None where it was not there (or was a symlink)."""
        return self._listing().get(self._key(path))

    def is_file(self, path: str) -> bool:
        return self._key(path) in self._listing()

    def is_dir(self, path: str) -> bool:
        self._listing()
        return self._key(path) in self._folders

    def read(self, path: str) -> bytes | None:
        """The content of a file at the commit, or None."""
        blob = self.blob_id(path)
        return None if blob is None else self._content(blob)

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _key(self, path: str) -> str:
        folder, name = os.path.split(path)
        try:
            relative = os.path.relpath(os.path.join(os.path.realpath(folder), name), self._top)
        except ValueError:  # another drive
            return ""
        return relative.replace(os.sep, "/")

    def _listing(self) -> dict[str, str]:
        if self._ids is None:
            self._ids = {}
            listing = _git(self.commit.repository, "ls-tree", "-r", "-z", "--full-tree", self.commit.id) or b""
            for entry in listing.split(b"\0"):
                about, _, name = entry.partition(b"\t")
                mode, _, rest = about.partition(b" ")
                if mode not in (b"100644", b"100755"):
                    continue
                path = os.fsdecode(name)
                self._ids[path] = rest.split()[1].decode("ascii")
                while "/" in path and (path := path.rpartition("/")[0]) not in self._folders:
                    self._folders.add(path)
            self._folders.add(".")
        return self._ids

    def _content(self, blob: str) -> bytes | None:
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        watchdog = threading.Timer(_SECONDS, process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            process.stdin.write(blob.encode("ascii") + b"\n")
            process.stdin.flush()
            head = process.stdout.readline().split()
            if len(head) != 3:
                return None
            content = process.stdout.read(int(head[2]) + 1)
            return content[:-1] if len(content) == int(head[2]) + 1 else None
        except OSError:
            self.close()
            return None
        finally:
            watchdog.cancel()

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            ["git", *_SAFE, "-C", self.commit.repository, "cat-file", "--batch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        )
        return self._process
