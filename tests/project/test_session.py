"""The session on real files with the real rules: reports, cache, open files, notebooks, git base, processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from training_scripts import BAD as SCRIPT
from training_scripts import CODES, LR_ONLY

from trainlint.project.cache import Cache, cache_folder, clean
from trainlint.project.config import Overrides
from trainlint.project.errors import ConfigError
from trainlint.project.notebooks import Cell
from trainlint.project.pool import Plan, check_files
from trainlint.project.report import FileReport, report_from_plain
from trainlint.project.session import Session
from trainlint.rules.finding import Finding

from .conftest import Write


def codes(report: FileReport) -> list[str]:
    assert report.error is None
    return sorted(finding.code for finding in report.findings)


def session(folder: Path, **options: object) -> Session:
    return Session([folder], **options)  # type: ignore[arg-type]


def test_planted_bugs_are_found(write: Write) -> None:
    folder = write({"train.py": SCRIPT})
    report = session(folder).check(str(folder / "train.py"))
    assert codes(report) == CODES
    assert list(report.findings) == sorted(report.findings, key=lambda finding: finding.sort_key)
    assert {finding.path for finding in report.findings} == {str(folder / "train.py")}


def test_reports_survive_the_way_through_json(write: Write) -> None:
    folder = write({"train.py": SCRIPT})
    report = session(folder).check(str(folder / "train.py"))
    assert any(finding.fixes for finding in report.findings)
    assert any(finding.related for finding in report.findings)
    assert report_from_plain(json.loads(json.dumps(report.plain()))) == report


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"import torch\nx = '\xff'\n", "is not valid utf-8"),
        (b"import torch\nprint 'x'\n", "does not parse as Python 3 (line 2)"),
        (b"import torch\nx = 1\ny = 2\nz = 3\nraise ValueError, 'x'\n", "does not parse as Python 3 (line 5)"),
        (b"import torch\n%%% ( (\n) ! !\n? ?\n", "does not parse as Python 3"),
    ],
)
def test_what_cannot_be_checked(write: Write, content: bytes, error: str) -> None:
    folder = write({"a.py": content})
    report = session(folder).check(str(folder / "a.py"))
    assert error in str(report.error)
    assert report.skipped
    assert not report.internal


def test_missing_and_folders(tmp_path: Path) -> None:
    assert "No such file" in str(session(tmp_path).check(str(tmp_path / "none.py")).error)
    (tmp_path / "a.py").mkdir()
    assert "cannot be read" in str(session(tmp_path).check(str(tmp_path / "a.py")).error)


def test_one_broken_statement_is_a_warning(write: Write) -> None:
    folder = write({"a.py": LR_ONLY + "x = = 1\ny = 2\nz = 3\n"})
    report = session(folder).check(str(folder / "a.py"))
    assert codes(report) == ["LR004"]
    assert report.warning == "line 3 does not parse; the rest was checked"


def test_odd_but_fine(write: Write) -> None:
    files: dict[str, str | bytes] = {
        "empty.py": "",
        "bom.py": b"\xef\xbb\xbf" + SCRIPT.encode(),
        "crlf.py": SCRIPT.replace("\n", "\r\n"),
        "latin.py": b"# coding: latin-1\n# \xe9\n" + SCRIPT.encode(),
        "plain.py": "x = = 1\n",
    }
    folder = write(files)
    here = session(folder)
    found = {name: codes(here.check(str(folder / name))) for name in files}
    assert found == {"empty.py": [], "bom.py": CODES, "crlf.py": CODES, "latin.py": CODES, "plain.py": []}


def test_nul_bytes_and_deep_brackets_are_survived(write: Write) -> None:
    deep = f"import torch\nx = {'(' * 60}{')' * 60}\n"
    folder = write({"deep.py": deep, "nul.py": "import torch\nx = 1\0\n" + LR_ONLY})
    for name in ("deep.py", "nul.py"):
        report = session(folder).check(str(folder / name))
        assert not report.internal, report.error


def test_levels_and_suppressions(write: Write) -> None:
    config = '[tool.trainlint]\nlevels = { LR004 = "error", loop = "hint" }\nignore = ["IM001"]\n'
    folder = write({"a.py": SCRIPT, "pyproject.toml": config})
    report = session(folder).check(str(folder / "a.py"))
    assert {finding.code: finding.level for finding in report.findings} == {"LR004": "error", "LP001": "hint"}
    write({"a.py": SCRIPT.replace("lr=0.5)", "lr=0.5)  # trainlint: ignore[LR004]")})
    assert codes(session(folder).check(str(folder / "a.py"))) == ["LP001"]


def test_a_broken_configuration_is_raised_and_told(write: Write) -> None:
    folder = write({"a.py": SCRIPT, "trainlint.toml": "selct = 1"})
    for use_cache in (True, False):
        with pytest.raises(ConfigError, match="selct"):
            session(folder, use_cache=use_cache).check(str(folder / "a.py"))
    here = session(folder)
    here.open(str(folder / "a.py"), SCRIPT)
    assert "selct" in str(here.check_open(str(folder / "a.py")).error)
    write({"trainlint.toml": 'select = ["LR"]'})
    here.reload_config()
    assert codes(here.check_open(str(folder / "a.py"))) == ["LR004"]


# notebooks


def notebook(*cells: tuple[str, str]) -> str:
    raw = [{"cell_type": kind, "metadata": {}, "source": source} for kind, source in cells]
    return json.dumps({"cells": raw, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


BOOK = (
    ("markdown", "# Training"),
    ("code", "%matplotlib inline\nfrom torch import nn, optim"),
    ("code", "net = nn.Linear(4, 2)\nopt = optim.Adam(net.parameters(), lr=0.5)\n"),
)


def places(report: FileReport) -> list[tuple[str, int | None, int]]:
    return [(finding.code, finding.cell, finding.span.line) for finding in report.findings]


def test_notebook_places(write: Write) -> None:
    folder = write({"a.ipynb": notebook(*BOOK)})
    assert places(session(folder).check(str(folder / "a.ipynb"))) == [("LR004", 2, 2)]


def test_notebook_suppressions_stay_in_their_cell(write: Write) -> None:
    kept = (BOOK[0], BOOK[1], ("code", BOOK[2][1] + "# trainlint: ignore[LP001]"), ("code", "x = 1"))
    folder = write({"a.ipynb": notebook(*kept)})
    assert places(session(folder).check(str(folder / "a.ipynb"))) == [("LR004", 2, 2), ("TR001", 2, 3)]
    quiet = (BOOK[0], BOOK[1], ("code", BOOK[2][1].replace("opt", "# trainlint: ignore[LR004]\nopt", 1)))
    write({"a.ipynb": notebook(*quiet)})
    assert places(session(folder).check(str(folder / "a.ipynb"))) == []


@pytest.mark.parametrize("text", ["import torch", "[1, 2]", '{"cells": 3}', ""])
def test_no_notebook(write: Write, text: str) -> None:
    folder = write({"a.ipynb": text})
    report = session(folder).check(str(folder / "a.ipynb"))
    assert "is not a notebook" in str(report.error)


def test_open_notebook(write: Write) -> None:
    folder = write({"a.ipynb": notebook()})
    here, path = session(folder), str(folder / "a.ipynb")
    cells = [Cell(kind, source) for kind, source in BOOK]
    here.open_notebook(path, cells)
    assert places(here.check_open(path)) == [("LR004", 2, 2)]
    here.open_notebook(path, [*cells[:2], Cell("code", "x = 1"), cells[2]])
    assert places(here.check_open(path)) == [("LR004", 3, 2)]
    hover = here.hover(path, 2, 40, cell=3)
    assert hover is None or hover.span.line == 2
    assert here.hover(path, 1, 1, cell=0) is None
    here.close(path)
    assert here.check_open(path).skipped


# open files


def test_editing_step_by_step(write: Write) -> None:
    folder = write({"a.py": ""})
    here, path = session(folder), str(folder / "a.py")
    here.open(path, LR_ONLY)
    assert codes(here.check_open(path)) == ["LR004"]
    start = LR_ONLY.index("0.5")
    here.edit(path, start, start + 3, "0.001")
    assert codes(here.check_open(path)) == []
    here.open(path, LR_ONLY)
    assert codes(here.check_open(path)) == ["LR004"]
    assert here.hover(path, 2, 8) is not None
    assert here.facts_at(path, 2)
    here.close(path)
    with pytest.raises(KeyError):
        here.edit(path, 0, 0, "x")


def test_helpers_are_seen_as_open(write: Write) -> None:
    folder = write(
        {"a.py": "from torch import optim\nfrom b import LR\nopt = optim.Adam([], lr=LR)\n", "b.py": "LR = 1e-3\n"}
    )
    here, path = session(folder), str(folder / "a.py")
    assert codes(here.check(path)) == []
    here.open(str(folder / "b.py"), "LR = 0.9\n")
    assert codes(here.check(path)) == ["LR004"]
    here.close(str(folder / "b.py"))
    assert codes(here.check(path)) == []


# the git base

BATCH = """\
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

def main(data):
    loader = DataLoader(data, batch_size=32, shuffle=True)
    model = nn.Linear(4, 2)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(10):
        for images, labels in loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
"""


def test_compared_with_head(write: Write, commit: Callable[[], str]) -> None:
    folder = write({"a.py": BATCH, "b.ipynb": notebook(("code", BATCH))})
    commit()
    bigger = BATCH.replace("batch_size=32", "batch_size=256")
    write({"a.py": bigger, "b.ipynb": notebook(("code", bigger))})
    here = session(folder, diff_base="HEAD")
    assert codes(here.check(str(folder / "a.py"))) == ["LR001"]
    assert places(here.check(str(folder / "b.ipynb"))) == [("LR001", 0, 8)]
    here.set_base(None)
    assert codes(here.check(str(folder / "a.py"))) == []
    here.set_base("HEAD")
    here.open(str(folder / "a.py"), bigger)
    assert codes(here.check_open(str(folder / "a.py"))) == ["LR001"]
    commit()
    here.set_base("HEAD")
    assert codes(here.check_open(str(folder / "a.py"))) == []
    here.stop()


def test_another_commit_with_the_same_file_beside_other_data(write: Write, commit: Callable[[], str]) -> None:
    script = "import yaml\n\nconfig = yaml.safe_load(open('data.yaml'))\n" + BATCH.replace("=32", "=config['batch']")
    folder = write({"a.py": script, "data.yaml": "batch: 256\n"})
    commit()
    here = session(folder, diff_base="HEAD")
    here.open(str(folder / "a.py"), script)
    assert codes(here.check_open(str(folder / "a.py"))) == []
    write({"data.yaml": "batch: 32\n"})
    commit()
    write({"data.yaml": "batch: 256\n"})
    here.set_base("HEAD")
    assert codes(here.check_open(str(folder / "a.py"))) == ["LR001"]
    here.stop()


def test_without_a_repository_there_is_no_base(write: Write) -> None:
    folder = write({"a.py": BATCH})
    assert codes(session(folder, diff_base="HEAD").check(str(folder / "a.py"))) == []


# the cache


def recalled(folder: Path, name: str = "a.py", **options: object) -> FileReport | None:
    return session(folder, use_cache=True, **options).recall(str(folder / name))


def warm(folder: Path, name: str = "a.py", **options: object) -> FileReport:
    return session(folder, use_cache=True, **options).check(str(folder / name))


def test_second_time_from_the_cache(write: Write) -> None:
    folder = write({"a.py": SCRIPT})
    assert recalled(folder) is None
    report = warm(folder)
    assert recalled(folder) == report
    write({"a.py": SCRIPT + "\n"})
    assert recalled(folder) is None
    write({"a.py": SCRIPT})
    assert recalled(folder) == report, "an old content is still known"
    assert clean() == os.path.dirname(cache_folder())
    assert recalled(folder) is None


def test_a_hit_does_not_import_libcst(write: Write) -> None:
    folder = write({"a.py": SCRIPT})
    warm(folder)
    program = (
        "import sys\nfrom trainlint.project.session import Session\n"
        f"report = Session([{str(folder)!r}], use_cache=True).check({str(folder / 'a.py')!r})\n"
        "print(len(report.findings), 'libcst' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3", "False"]


def test_other_settings_are_other_entries(write: Write) -> None:
    folder = write({"a.py": SCRIPT})
    warm(folder)
    assert recalled(folder, overrides=Overrides(select=("LR",))) is None
    write({"trainlint.toml": 'levels = { LR004 = "hint" }'})
    assert recalled(folder) is None


CHAIN: dict[str, str | bytes] = {
    "a.py": "from torch import optim\nfrom b import LR\nopt = optim.Adam([], lr=LR)\n",
    "b.py": "import torch\nfrom c import BASE\nLR = BASE\n",
    "c.py": "BASE = 1e-3\n",
}


def test_what_was_read_counts(write: Write) -> None:
    folder = write(CHAIN)
    assert codes(warm(folder)) == []
    assert recalled(folder) is not None
    write({"b.py": "LR = 0.9\n"})
    assert recalled(folder) is None
    assert codes(warm(folder)) == ["LR004"]


def test_what_was_read_by_way_of_another_check_counts(write: Write) -> None:
    folder = write(CHAIN)
    here = session(folder, use_cache=True)
    here.check(str(folder / "b.py"))
    here.check(str(folder / "a.py"))
    before = recalled(folder)
    write({"c.py": "BASE = 0.9\n"})
    assert before is not None
    asked = here.workspace.asked_by(str(folder / "a.py"))
    if any(answer == str(folder / "c.py") for *_, answer in asked):
        assert recalled(folder) is None
    else:
        assert codes(here.check(str(folder / "a.py"))) == codes(session(folder).check(str(folder / "a.py")))


def test_a_module_that_appears_counts(write: Write) -> None:
    folder = write({"a.py": CHAIN["a.py"]})
    assert codes(warm(folder)) == []
    assert recalled(folder) is not None
    write({"b.py": "LR = 0.9\n"})
    assert recalled(folder) is None
    assert codes(warm(folder)) == ["LR004"]


def test_a_data_file_counts(write: Write) -> None:
    source = (
        "import yaml\nfrom torch import optim\nwith open('c.yaml') as f:\n    cfg = yaml.safe_load(f)\n"
        "opt = optim.Adam([], lr=cfg['lr'])\n"
    )
    folder = write({"a.py": source, "c.yaml": "lr: 0.001\n"})
    assert codes(warm(folder)) == []
    assert recalled(folder) is not None
    write({"c.yaml": "lr: 0.9\n"})
    assert recalled(folder) is None
    assert codes(warm(folder)) == ["LR004"]


def test_the_base_counts(write: Write, commit: Callable[[], str]) -> None:
    folder = write({"a.py": BATCH})
    commit()
    write({"a.py": BATCH.replace("32", "256")})
    assert codes(warm(folder, diff_base="HEAD")) == ["LR001"]
    assert recalled(folder, diff_base="HEAD") is not None
    assert recalled(folder) is None
    commit()
    assert codes(warm(folder, diff_base="HEAD")) == []


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"questions": [], "contents": {}, "report": [1]}', b"\xff"])
def test_a_damaged_entry_is_a_miss(write: Write, own_cache: Path, damage: bytes) -> None:
    folder = write({"a.py": SCRIPT})
    warm(folder)
    (entry,) = own_cache.rglob("*.json")
    entry.write_bytes(damage)
    assert recalled(folder) is None
    assert codes(warm(folder)) == CODES
    assert recalled(folder) is not None


def test_a_cache_that_cannot_be_written_is_no_trouble(write: Write, own_cache: Path) -> None:
    (own_cache / "trainlint").write_text("a file in the way")
    folder = write({"a.py": SCRIPT})
    assert codes(warm(folder)) == CODES
    Cache().prune()


def test_old_entries_are_pruned(write: Write, own_cache: Path) -> None:
    folder = write({"a.py": SCRIPT, "b.py": SCRIPT})
    warm(folder, "a.py")
    (old,) = own_cache.rglob("*.json")
    os.utime(old, (0, 0))
    warm(folder, "b.py")
    (own_cache / "trainlint" / "pruned").unlink(missing_ok=True)
    kept = session(folder, use_cache=True)
    kept.check(str(folder / "b.py"))
    kept.stop()
    assert not old.exists()
    assert recalled(folder, "b.py") is not None


# processes


def test_as_many_processes_as_one(write: Write) -> None:
    folder = write({**{f"f{n}.py": SCRIPT for n in range(6)}, "bad.py": b"import torch\n\xff", "x.py": "x = 1\n"})
    paths = sorted(str(path) for path in folder.glob("*.py"))
    plan = Plan((str(folder),), Overrides(), False, None)
    one = check_files(plan.session(), plan, paths, 1)
    two = check_files(plan.session(), plan, paths, 2)
    assert one == two
    assert [report.path for report in one] == paths
    assert sum(len(report.findings) for report in one) == 18


def test_findings_carry_their_page(write: Write) -> None:
    folder = write({"a.py": SCRIPT})
    findings: tuple[Finding, ...] = session(folder).check(str(folder / "a.py")).findings
    assert all(finding.url.startswith("https://") and finding.url.endswith(finding.id) for finding in findings)


def test_a_text_that_was_open_before_is_not_parsed_again(write: Write) -> None:
    """Not before somebody asks for more than its findings; what it imports must be as it was."""
    script = "from helper import rate\n" + BATCH.replace(
        "SGD(model.parameters(), lr=0.1, momentum=0.9)", "Adam(model.parameters(), lr=rate)"
    )
    folder = write({"a.py": script, "helper.py": "rate = 9.0\n"})
    path = str(folder / "a.py")

    def opened() -> tuple[Session, list[str]]:
        here = Session([folder], use_cache=True)
        here.open(path, script)
        return here, codes(here.check_open(path))

    first, found = opened()
    assert first.workspace.unparsed(path) is None
    second, again = opened()
    assert again == found != []
    assert second.workspace.unparsed(path) == script
    second.notes(path)
    second.edit(path, 0, 0, "# a note\n")
    assert codes(second.check_open(path)) == found
    write({"helper.py": "rate = 0.001\n"})
    third, changed = opened()
    assert third.workspace.unparsed(path) is None
    assert changed != found
