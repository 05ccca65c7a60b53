"""What a program does besides training comes through as it is, and nothing is left when a run is over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.runtime_check.conftest import PLAIN, Lab
from trainlint.project.measuring import Run

posix = pytest.mark.skipif(os.name == "nt", reason="process groups and signals of POSIX")


def group_is_empty(group: int) -> bool:
    """Does nothing of a process group run any more? Dead processes that nobody has waited for do not count."""
    limit = time.monotonic() + 5
    while time.monotonic() < limit:
        shown = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=True)
        rows = [row.split() for row in shown.stdout.splitlines()]
        if not any(int(row[0]) == group and not row[1].startswith("Z") for row in rows):
            return True
        time.sleep(0.1)
    return False


def test_output_comes_through_and_the_report_is_alone(lab: Lab) -> None:
    noise = """\
import os, sys
print("printed", flush=True)
print("to stderr", file=sys.stderr, flush=True)
sys.stdout.buffer.write(b"\\x00\\xff binary \\r\\n")
sys.stdout.flush()
os.write(1, b"descriptor one\\n")
os.system("echo from a child")
"""
    lab.write(noise + PLAIN)
    done = lab.command("train.py", "--device", "fake", "--output-format", "json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["measured"] is True
    for piece in (b"printed", b"to stderr", b"\x00\xff binary \r\n", b"descriptor one", b"from a child"):
        assert piece in done.stderr


def test_an_exception_is_shown_as_python_shows_it(lab: Lab) -> None:
    lab.write("import torch\n\ndef f():\n    raise ValueError('a bug') from KeyError('cause')\n\nf()\n")
    done = lab.command("train.py", "--device", "fake")
    plain = subprocess.run([sys.executable, "train.py"], cwd=lab.folder, capture_output=True, check=False)
    assert done.returncode == 1
    shown, last = done.stderr.decode().rsplit("trainlint: ", 1)
    expected = plain.stderr.decode().replace('File "train.py"', f'File "{lab.folder}/train.py"')
    assert shown.split() == expected.replace(f'"{lab.folder}/{lab.folder}', f'"{lab.folder}').split()
    assert "ValueError" in last


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import sys\nsys.exit(7)\n", "exit code 7"),
        ("import a_package_that_is_nowhere\n", "'a_package_that_is_nowhere'"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "SIGKILL"),
    ],
)
def test_a_program_that_does_not_come_to_its_step(lab: Lab, text: str, words: str) -> None:
    outcome = lab.run(text)
    assert outcome.recording is None
    assert words in outcome.why


@posix
def test_the_time_limit_ends_the_group(lab: Lab) -> None:
    path = lab.write("import os, time\nif os.fork() == 0:\n    time.sleep(99)\ntime.sleep(99)\n")
    run = Run(lab.job(path, timeout=6.0))
    outcome = run.wait(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert "time limit" in outcome.why
    assert run.group is not None
    assert group_is_empty(run.group)


@posix
def test_cancel_ends_the_group_even_when_it_ignores_signals(lab: Lab) -> None:
    path = lab.write(
        """
        import os, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.fork()
        open(f"here-{os.getpid()}", "w").close()
        time.sleep(99)
        """
    )
    os.chdir(lab.folder)
    run = Run(lab.job(path))
    ended = []
    thread = threading.Thread(target=lambda: ended.append(run.wait(stdout=subprocess.DEVNULL)))
    thread.start()
    limit = time.monotonic() + 60
    while len(list(lab.folder.glob("here-*"))) < 2 and time.monotonic() < limit:
        time.sleep(0.05)
    run.cancel()
    thread.join(20)
    assert [outcome.why for outcome in ended] == ["cancelled"]
    assert run.group is not None
    assert group_is_empty(run.group)


@posix
def test_the_program_dies_with_its_launcher(lab: Lab) -> None:
    lab.write("import os, time\nopen(f'pid-{os.getpid()}', 'w').close()\ntime.sleep(99)\n")
    command = [sys.executable, "-m", "trainlint", "measure", "train.py", "--device", "fake"]
    launcher = subprocess.Popen(command, cwd=lab.folder)
    limit = time.monotonic() + 60
    while not (found := list(lab.folder.glob("pid-*"))) and time.monotonic() < limit:
        time.sleep(0.05)
    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    group = int(found[0].name.partition("-")[2])
    assert group_is_empty(group)


def test_checkpoints_are_left_alone_and_other_files_are_the_programs(lab: Lab) -> None:
    text = PLAIN.replace(
        "    optimizer.zero_grad()", "    torch.save(net, 'net.pt')\n    open('log.txt', 'a').write('x')\n"
    )
    (lab.folder / "net.pt").write_text("old", encoding="utf-8")
    lab.write(text)
    assert lab.command("train.py", "--device", "fake").returncode == 0
    assert (lab.folder / "net.pt").read_text(encoding="utf-8") == "old"
    assert (lab.folder / "log.txt").read_text(encoding="utf-8") == "xx"


def test_random_numbers_are_those_of_a_plain_run(lab: Lab) -> None:
    text = PLAIN.replace("import torch\n", "import torch\ntorch.manual_seed(3)\n", 1) + "    print(loss.item())\n"
    lab.write(text.replace("batch_size=16", "batch_size=16, shuffle=True, num_workers=2").replace("cuda", "cpu"))
    done = lab.command("train.py", "--device", "cpu", "--steps", "3", "--output-format", "json")
    plain = subprocess.run([sys.executable, "train.py"], cwd=lab.folder, capture_output=True, check=True)
    assert done.stderr.decode().split()[:2] == plain.stdout.decode().split()[:2]


def test_no_torch_in_the_interpreter_of_the_program(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> None:
    import venv

    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    outcome = lab.run(PLAIN, python=str(python))
    assert outcome.recording is None
    assert "torch cannot be imported" in outcome.why


def test_wrong_use(lab: Lab) -> None:
    for arguments in ([], ["nosuch.py"], ["nosuch.py", "--device", "tpu"], ["nosuch.py", "--timeout", "0"]):
        done = lab.command(*arguments)
        assert done.returncode == 2
        assert len(done.stderr.decode().strip().splitlines()) == 1


def test_a_limit_of_memory_ends_the_program_with_its_own_error(lab: Lab) -> None:
    text = "import numpy\nkept = numpy.ones(3 << 28)\n"
    outcome = lab.run(text, memory_limit=1 << 30)
    assert outcome.recording is None
    assert "MemoryError" in outcome.why
