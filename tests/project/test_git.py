"""The git base: revisions, blobs, and repositories that mean harm."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from trainlint.project.bases import Bases
from trainlint.project.git import Blobs, Commit, GitError, base_text, repository_of, resolve_rev

from .conftest import Write, git

Commits = Callable[[], str]


def test_text_at_a_revision(write: Write, commit: Commits) -> None:
    folder = write({"train.py": "lr = 0.1\n", "sub/ü name.py": "x = 1\r\n"})
    commit()
    write({"train.py": "lr = 0.8\n", "new.py": ""})
    assert base_text(str(folder / "train.py"), "HEAD") == "lr = 0.1\n"
    assert base_text(str(folder / "sub" / "ü name.py"), "HEAD") == "x = 1\r\n"
    assert base_text(str(folder / "new.py"), "HEAD") is None
    commit()
    assert base_text(str(folder / "train.py"), "HEAD") == "lr = 0.8\n"
    assert base_text(str(folder / "train.py"), "HEAD~1") == "lr = 0.1\n"


def test_one_reader_for_many_files(write: Write, commit: Commits) -> None:
    folder = write({f"f{n}.py": f"x = {n}\n" * 5000 for n in range(20)})
    commit()
    with Blobs(resolve_rev(str(folder), "HEAD")) as blobs:
        for n in range(20):
            assert blobs.read(str(folder / f"f{n}.py")) == (f"x = {n}\n" * 5000).encode()
        assert blobs.is_dir(str(folder))
        assert not blobs.is_file(str(folder / "sub"))


def test_a_branch_is_compared_at_the_merge_base(write: Write, commit: Commits) -> None:
    folder = write({"a.py": "1\n"})
    first = commit()
    git(folder, "checkout", "-q", "-b", "topic")
    write({"a.py": "2\n"})
    commit()
    git(folder, "checkout", "-q", "main")
    write({"b.py": "3\n"})
    ahead = commit()
    git(folder, "checkout", "-q", "topic")
    base = resolve_rev(str(folder), "main")
    assert (base.id, base.label) == (first, "main")
    assert base.id != ahead
    assert resolve_rev(str(folder), "HEAD").label == "the last commit"


def test_unrelated_history_is_compared_as_it_is(write: Write, commit: Commits) -> None:
    folder = write({"a.py": "1\n"})
    first = commit()
    git(folder, "checkout", "-q", "--orphan", "other")
    commit()
    assert resolve_rev(str(folder), first).id == first


@pytest.mark.parametrize("rev", ["nosuchrev", "--output=x", "HEAD~99", "", "a b", "HEAD:a.py"])
def test_unknown_revisions_are_named(write: Write, commit: Commits, rev: str) -> None:
    folder = write({"a.py": ""})
    commit()
    with pytest.raises(GitError) as caught:
        resolve_rev(str(folder), rev)
    assert f"'{rev}'" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (folder / "x").exists()


def test_outside_a_repository(tmp_path: Path) -> None:
    assert repository_of(str(tmp_path)) is None
    with pytest.raises(GitError, match="not inside a git repository"):
        resolve_rev(str(tmp_path), "HEAD")


def test_symlinks_are_no_files(write: Write, commit: Commits) -> None:
    folder = write({"a.py": "x\n"})
    (folder / "link.py").symlink_to("/etc/passwd")
    commit()
    with Blobs(resolve_rev(str(folder), "HEAD")) as blobs:
        assert blobs.read(str(folder / "link.py")) is None


def test_through_a_linked_folder(write: Write, commit: Commits, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = write({"a.py": "x = 1\n"})
    commit()
    link = tmp_path_factory.mktemp("links") / "link"
    link.symlink_to(folder)
    assert base_text(str(link / "a.py"), "HEAD") == "x = 1\n"


def test_inside_a_hook_the_file_s_own_repository_counts(
    write: Write, commit: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write({"a.py": "x = 1\n"})
    commit()
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nonexistent")
    assert base_text(str(folder / "a.py"), "HEAD") == "x = 1\n"


@pytest.mark.skipif(os.name == "nt", reason="the traps are shell scripts")
def test_a_hostile_repository_runs_nothing(write: Write, commit: Commits) -> None:
    folder = write({"a.py": "x = 1\n", ".gitattributes": "*.py diff=evil filter=evil\n"})
    commit()
    trap = folder / ".git" / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch '{folder}/sprung'\ncat\n")
    trap.chmod(0o755)
    for key in (
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "diff.external",
        "diff.evil.textconv",
        "filter.evil.smudge",
        "filter.evil.clean",
        "alias.rev-parse",
        "credential.helper",
        "core.askPass",
        "uploadpack.packObjectsHook",
    ):
        git(folder, "config", key, f"!{trap}" if key.startswith("alias") else str(trap))
    hooks = folder / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "post-index-change", "reference-transaction", "fsmonitor-watchman"):
        (hooks / name).write_text(trap.read_text())
        (hooks / name).chmod(0o755)
    write({"a.py": "x = 2\n"})
    bases = Bases((str(folder),), "HEAD")
    known = bases.of(str(folder / "a.py"))
    bases.close()
    assert known is not None
    assert known[0].text == "x = 1\n"
    assert base_text(str(folder / "a.py"), "main") == "x = 1\n"
    assert not (folder / "sprung").exists()
    subprocess.run(["git", "status"], cwd=folder, capture_output=True, check=False)
    assert (folder / "sprung").exists(), "the trap works for others"


def test_a_missing_object_of_a_partial_clone_is_not_fetched(write: Write, commit: Commits) -> None:
    folder = write({"a.py": "x = 1\n"})
    head = commit()
    blob = git(folder, "rev-parse", "HEAD:a.py")
    (folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    git(folder, "config", "remote.origin.url", f"ext::sh -c touch% {folder}/sprung")
    git(folder, "config", "remote.origin.promisor", "true")
    git(folder, "config", "extensions.partialClone", "origin")
    git(folder, "config", "protocol.ext.allow", "always")
    with Blobs(Commit(str(folder), head, "HEAD")) as blobs:
        assert blobs.read(str(folder / "a.py")) is None
    assert not (folder / "sprung").exists()


def test_documents_are_kept_by_blob(write: Write, commit: Commits) -> None:
    folder = write({"a.py": "x = 1\n"})
    commit()
    bases = Bases((str(folder),), "HEAD")
    first = bases.of(str(folder / "a.py"))
    write({"b.py": ""})
    commit()
    bases.renew()
    second = bases.of(str(folder / "a.py"))
    write({"a.py": "x = 2\n"})
    commit()
    bases.renew()
    third = bases.of(str(folder / "a.py"))
    bases.close()
    assert first is not None
    assert second is not None
    assert third is not None
    assert first[0] is second[0]
    assert third[0].text == "x = 2\n"
    assert bases.of(str(folder / "none.py")) is None
