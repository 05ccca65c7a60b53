"""`trainlint check` as a real command: exit codes, errors, fixing, stdin, baselines, statistics, start-up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from training_scripts import BAD as SCRIPT
from training_scripts import CODES, LR_ONLY

import trainlint

from .conftest import Shell


def test_findings_and_exit_codes(shell: Shell) -> None:
    shell.write({"bad.py": SCRIPT, "clean.py": "import torch\n", "sub/plain.py": "x = 1\n"})
    ran = shell.check(".")
    assert (ran.code, ran.codes) == (1, CODES)
    assert ran.json["summary"]["files"] == 3
    assert shell.check("clean.py").code == 0
    assert shell.check("--min-level", "error", "bad.py").code == 1
    assert shell.check("--select", "LR", "--min-level", "error", "bad.py").code == 0
    assert shell.check("--exit-zero", "bad.py").code == 0
    assert shell.check("sub").json["summary"]["files"] == 1


def test_the_current_folder_is_the_default(shell: Shell) -> None:
    assert shell.write({"bad.py": SCRIPT}).check().codes == CODES


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "--no-such-flag"], ["--no-such-flag"]),
        (["check", "--output-format", "nosuch"], ["nosuch", "sarif"]),
        (["check", "--min-level", "fatal"], ["fatal", "hint"]),
        (["check", "--select", "ZZ999"], ["ZZ999"]),
        (["check", "--ignore", "LR04"], ["LR04", "LR004"]),
        (["check", "--jobs", "0"], ["'0'"]),
        (["check", "--gpu-memory", "big"], ["'big'", "24GiB"]),
        (["check", "--config", "none.toml"], ["none.toml"]),
        (["check", "--diff-base", "HEAD"], ["not inside a git repository"]),
        (["check", "--baseline", "none.json"], ["none.json"]),
        (["check", "--baseline", "bad.py"], ["bad.py", "no baseline"]),
        (["check", "--statistics", "--output-format", "json"], ["--statistics", "json"]),
        (["check", "-", "bad.py"], ["stdin"]),
        (["check", "--unsafe-fixes"], ["--fix"]),
        (["check", "--output-file", "no/such/folder"], ["no/such/folder"]),
        (["check", "--sel", "LR"], ["--sel"]),
        (["rule", "ZZ999"], ["ZZ999"]),
        (["model", "bad.py"], ["FILE:LINE"]),
        (["model", "none.py:3"], ["none.py"]),
        (["nosuch"], ["nosuch", "check"]),
        ([], ["COMMAND"]),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(shell: Shell, arguments: list[str], words: list[str]) -> None:
    ran = shell.write({"bad.py": SCRIPT}).run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1
    for word in words:
        assert word in ran.err


def test_a_missing_path_does_not_stop_the_others(shell: Shell) -> None:
    ran = shell.write({"bad.py": SCRIPT}).check("no/such.py", "bad.py")
    assert (ran.code, ran.codes) == (2, CODES)
    assert ran.err == "error: no/such.py: no such file or folder\n"
    assert ran.json["errors"] == [{"path": "no/such.py", "message": "no such file or folder"}]


BAD_INPUT: dict[str, str | bytes] = {
    "bytes.py": b"import torch\nx = '\xff'\n",
    "python2.py": "import torch\nprint 'x'\n",
    "book.ipynb": "import torch\n",
    "half.py": LR_ONLY + "x = = 2\ny = 3\n",
    "empty.py": "",
    "bad.py": SCRIPT,
}


def test_bad_input_does_not_stop_the_others(shell: Shell) -> None:
    ran = shell.write(BAD_INPUT).check(".")
    assert (ran.code, ran.codes) == (1, sorted([*CODES, "LR004"]))
    assert sorted(error["path"] for error in ran.json["errors"]) == ["book.ipynb", "bytes.py", "half.py", "python2.py"]
    assert ran.json["summary"]["skipped"] == 3
    lines = ran.err.splitlines()
    assert len(lines) == 4
    assert [line for line in lines if line.startswith("warning: ")] == [
        "warning: half.py: line 3 does not parse; the rest was checked"
    ]
    assert "error: python2.py: does not parse as Python 3 (line 2)" in lines


def test_bad_input_alone_is_exit_2(shell: Shell) -> None:
    shell.write(BAD_INPUT)
    assert [shell.check(name).code for name in ("bytes.py", "python2.py", "book.ipynb")] == [2, 2, 2]
    assert shell.check("empty.py").code == 0


def test_a_folder_without_python(shell: Shell) -> None:
    ran = shell.write({"x/readme.txt": ""}).check("x")
    assert ran.code == 0
    assert ran.err == "warning: x: no Python files or notebooks in this folder\n"


def test_a_broken_configuration_is_one_line(shell: Shell) -> None:
    ran = shell.write({"bad.py": SCRIPT, "sub/a.py": "import torch\n", "sub/trainlint.toml": "selct = 1"}).check(".")
    assert ran.code == 2
    assert ran.err.startswith("trainlint: sub/trainlint.toml:1: unknown key 'selct'; did you mean 'select'?")
    assert len(ran.err.splitlines()) == 1


def test_force_exclude(shell: Shell) -> None:
    shell.write({"gen/a.py": SCRIPT, "trainlint.toml": 'exclude = ["gen"]'})
    assert shell.check("gen/a.py").codes == CODES
    assert shell.check("--force-exclude", "gen/a.py").codes == []


def test_fix(shell: Shell) -> None:
    shell.write({"bad.py": SCRIPT})
    ran = shell.check("--fix", "bad.py")
    assert (ran.code, ran.codes) == (1, ["LR004"])
    text = shell.read("bad.py")
    assert "cv2.cvtColor(" in text
    assert "optimizer.zero_grad()" in text
    compile(text, "bad.py", "exec")
    assert "in 1 file" in ran.err
    again = shell.check("--fix", "bad.py")
    assert again.codes == ["LR004"]
    assert shell.read("bad.py") == text


def test_diff_changes_nothing(shell: Shell) -> None:
    shell.write({"bad.py": SCRIPT, "good.py": "import torch\n"})
    ran = shell.run("check", "--diff", ".")
    assert ran.code == 1
    assert ran.out.startswith("--- bad.py\n+++ bad.py\n@@ ")
    assert [line[1:].strip() for line in ran.out.splitlines() if line.startswith("+ ")]
    assert shell.read("bad.py") == SCRIPT
    assert shell.run("check", "--diff", "good.py").code == 0
    subprocess.run(["git", "init", "-q"], cwd=shell.folder, check=True)
    subprocess.run(["git", "apply", "-p0"], cwd=shell.folder, input=ran.raw, check=True)
    patched = shell.read("bad.py")
    shell.write({"bad.py": SCRIPT}).check("--fix", "bad.py")
    assert shell.read("bad.py") == patched


def test_stdin(shell: Shell) -> None:
    ran = shell.run("check", "--output-format", "concise", "--stdin-filename", "pkg/x.py", "-", stdin=SCRIPT.encode())
    assert ran.code == 1
    assert sorted(line.split(": ")[1].split()[0] for line in ran.out.splitlines()) == CODES
    assert all(line.startswith("pkg/x.py:") for line in ran.out.splitlines())
    full = shell.run("check", "-", stdin=LR_ONLY.encode())
    assert "opt = optim.Adam(nn.Linear(4, 2).parameters(), lr=0.5)" in full.out
    assert shell.check("-", stdin=b"import torch\n\xff").code == 2


def test_stdin_is_fixed_to_stdout(shell: Shell) -> None:
    source = "import torch\nx = 1  # trainlint: ignore[LR004]\n"
    ran = shell.run("check", "--fix", "-", stdin=source.encode())
    assert ran.out == "import torch\nx = 1\n"
    clean = shell.run("check", "--fix", "-", stdin=b"x = 1\n")
    assert clean.out == "x = 1\n"


def test_stdin_obeys_the_configuration_of_its_name(shell: Shell) -> None:
    shell.write({"sub/trainlint.toml": 'ignore = ["LR004"]'})
    assert shell.check("--stdin-filename", "sub/x.py", "-", stdin=LR_ONLY.encode()).codes == []


def test_output_file(shell: Shell) -> None:
    ran = shell.write({"bad.py": SCRIPT}).check("--output-file", "out.json", "bad.py")
    assert (ran.code, ran.out) == (1, "")
    assert len(json.loads(shell.read("out.json"))["findings"]) == 3


def test_statistics(shell: Shell) -> None:
    ran = shell.write({"a.py": SCRIPT, "b.py": LR_ONLY}).run("check", "--statistics", ".")
    assert ran.out.splitlines()[0].split() == ["2", "LR004", "lr-out-of-range"]
    assert ran.code == 1


def test_baseline(shell: Shell) -> None:
    shell.write({"a.py": LR_ONLY})
    assert shell.check("--write-baseline", "known.json", "a.py").code == 0
    assert shell.check("--baseline", "known.json", "a.py").code == 0
    shell.write({"a.py": "# moved\n" + LR_ONLY + LR_ONLY.splitlines()[1].replace("opt", "other", 1) + "\n"})
    ran = shell.check("--baseline", "known.json", "a.py")
    assert (ran.code, [finding["line"] for finding in ran.json["findings"]]) == (1, [4])


def test_processes_and_cache_do_not_change_the_output(shell: Shell) -> None:
    shell.write({**{f"f{n}.py": SCRIPT for n in range(5)}, "x.py": b"\xff import torch"})

    def stable(*arguments: str) -> object:
        content = shell.check(*arguments).json
        content["summary"].pop("seconds")
        return content

    first = stable("--jobs", "1", ".")
    assert first == stable("--jobs", "3", "--no-cache", ".")
    assert first == stable("."), "from the cache"


def test_colour(shell: Shell) -> None:
    shell.write({"bad.py": SCRIPT})
    assert "\x1b[" not in shell.run("check", "bad.py").out
    assert "\x1b[" in shell.run("check", "bad.py", FORCE_COLOR="1").out
    assert "\x1b[" not in shell.run("check", "bad.py", FORCE_COLOR="1", NO_COLOR="1").out


def test_a_console_that_cannot_show_everything(shell: Shell) -> None:
    ran = shell.write({"ü.py": LR_ONLY}).run("check", ".", PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0")
    assert ran.code == 1


def test_version_and_clean(shell: Shell) -> None:
    assert shell.run("--version").out == f"trainlint {trainlint.__version__}\n"
    shell.write({"bad.py": SCRIPT}).check("bad.py")
    cache = Path(shell.environment["XDG_CACHE_HOME"])
    assert list(cache.rglob("*.json"))
    assert "removed" in shell.run("clean").out
    assert not list(cache.rglob("*.json"))


def test_rule(shell: Shell) -> None:
    page = shell.run("rule", "LR004")
    assert page.code == 0
    assert page.out.startswith("lr-out-of-range (LR004)\n")
    assert "```" not in page.out
    assert shell.run("rule", "lr-out-of-range").out == page.out
    assert shell.run("rule", "lr004").out == page.out
    assert shell.run("rule", "TR001").out.startswith("unused-suppression (TR001)")
    entry = json.loads(shell.run("rule", "LR004", "--output-format", "json").out)
    assert (entry["code"], entry["family"], entry["level"]) == ("LR004", "learning-rate", "warning")
    table = shell.run("rule").out.splitlines()
    assert [line.split()[0] for line in table] == sorted(line.split()[0] for line in table)
    everything = json.loads(shell.run("rule", "--all", "--output-format", "json").out)
    assert len(everything) == len(table)
    assert shell.run("rule", "--all", "--output-format", "markdown").out.count("\n# ") == len(table) - 1


def test_model(shell: Shell) -> None:
    ran = shell.write({"a.py": LR_ONLY}).run("model", "a.py:2")
    assert ran.code == 0
    assert "torch.optim.Adam" in ran.out


def test_config(shell: Shell) -> None:
    text = (
        'select = ["LR"]\nworld-size = 4\n\n[per-file-ignores]\n"a b.py" = ["LR004"]\n\n[levels]\n"LR004" = "error"\n'
    )
    shell.write({"trainlint.toml": text})
    ran = shell.run("config")
    assert ran.out == "# from trainlint.toml\n" + text
    again = shell.write({"trainlint.toml": ran.out}).run("config")
    assert again.out == ran.out
    assert json.loads(shell.run("config", "--schema").out)["title"] == "trainlint"
    assert (
        shell.write({"other.toml": 'gpu = "A100"'})
        .run("config", "--config", "other.toml")
        .out.endswith('gpu = "A100"\n')
    )


def test_an_internal_error_is_one_line_and_exit_3(shell: Shell) -> None:
    shell.write({"a.py": LR_ONLY, "boom/sitecustomize.py": "import trainlint.cli.check as c\nc.discover = None\n"})
    path = os.pathsep.join([str(shell.folder / "boom"), shell.environment["PYTHONPATH"]])
    ran = shell.run("check", "a.py", PYTHONPATH=path)
    assert ran.code == 3
    assert len(ran.err.splitlines()) == 1
    assert "internal error: TypeError" in ran.err
    assert "TRAINLINT_DEBUG=1" in ran.err


def test_a_rule_that_fails_costs_its_findings_only(shell: Shell) -> None:
    crash = (
        "from dataclasses import replace\nfrom trainlint.rules import registry\n"
        "def fail(fact): raise ValueError('no')\n"
        "rules = registry.all_rules()\nrules['LR004'] = replace(rules['LR004'], check=fail)\n"
    )
    shell.write({"a.py": SCRIPT, "boom/sitecustomize.py": crash})
    path = os.pathsep.join([str(shell.folder / "boom"), shell.environment["PYTHONPATH"]])
    ran = shell.check("a.py", PYTHONPATH=path)
    assert (ran.code, ran.codes) == (1, ["IM001", "LP001"])
    assert "the rule LR004 failed" in ran.err
    assert len(ran.err.splitlines()) == 1
    assert shell.check("a.py").codes == CODES, "nothing of the failure stays in the cache"


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_reader_that_goes_away(shell: Shell) -> None:
    shell.write({f"f{n}.py": SCRIPT for n in range(40)})
    command = f"{sys.executable} -m trainlint check . | head -n 1"
    done = subprocess.run(
        command, shell=True, cwd=shell.folder, env=shell.environment, capture_output=True, check=False
    )
    assert done.stderr == b""
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_watch_and_interrupt(shell: Shell) -> None:
    shell.write({"a.py": "import torch\n"})
    command = [sys.executable, "-m", "trainlint", "check", "--watch", "--output-format", "concise", "."]

    def interruptible() -> None:
        # a test run in the background of a shell ignores interrupts, and so would what it starts
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with subprocess.Popen(
        command,
        cwd=shell.folder,
        env=shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=interruptible,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stderr.readline().startswith(b"Watching")
            time.sleep(0.05)
            shell.write({"a.py": LR_ONLY})
            assert process.stdout.readline().startswith(b"a.py:2:")
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
            assert b"Traceback" not in process.stderr.read()
        finally:
            process.kill()


def imported(shell: Shell, *arguments: str) -> set[str]:
    program = (
        "import sys, json\nfrom trainlint.cli.main import main\nmain(sys.argv[1:])\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        check=True,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_what_is_imported(shell: Shell) -> None:
    shell.write({"plain.py": "import json\n", "bad.py": SCRIPT})
    never = {"pygls", "lsprotocol", "torch", "numpy"}
    plain = imported(shell, "check", "--no-cache", "plain.py")
    assert not plain & (never | {"libcst", "yaml", "pathspec", "dataclasses", "trainlint.rules.registry"})
    cold = imported(shell, "check", "bad.py")
    assert "libcst" in cold
    assert not cold & never
    # without a GPU nothing of the memory model is worth its time
    assert not cold & {"trainlint.memory.estimate", "trainlint.memory.demand"}
    assert "trainlint.memory.estimate" in imported(shell, "check", "--gpu-memory", "4GiB", "bad.py")
    warm = imported(shell, "check", "bad.py")
    assert not warm & (never | {"libcst", "trainlint.rules.registry"})
