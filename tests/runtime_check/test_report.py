"""What `trainlint measure` prints: text and the page, with the static estimate beside."""

from __future__ import annotations

import json

from tests.runtime_check.conftest import PLAIN, Lab


def test_text_and_page_hold_the_figures_of_the_json(lab: Lab) -> None:
    lab.write(PLAIN)
    done = lab.command("train.py", "--device", "fake", "--output-format", "json", "--output-file", "m.json")
    assert (done.returncode, done.stdout) == (0, b""), done.stderr
    told = json.loads((lab.folder / "m.json").read_text(encoding="utf-8"))
    beside = told["estimate"]
    assert beside["parameters"]["change"] == beside["gradients"]["change"] == beside["optimizer"]["change"] == 0
    assert beside["batch"]["new"] == told["terms"]["batch"]
    assert beside["workspace"]["why"] == "a pretended card has no workspace of cuBLAS"
    assert beside["peak allocated"]["why"].startswith("a pretended card has no workspace of cuBLAS")

    text = lab.command("m.json").stdout.decode()
    assert "train.py:13  one training step, batch size 16" in text
    assert "measured: with fake tensors, nothing computed; memory rules of CUDA" in text
    assert "beside the estimate" in text
    assert "a pretended card has no workspace of cuBLAS" in text
    assert [line.split()[0] for line in text.partition("at most, by phase")[2].splitlines()[1:4]] == [
        "forward",
        "backward",
        "optimizer",
    ]

    page = lab.command("m.json", "--output-format", "html").stdout.decode()
    assert "measured with fake tensors" in page
    assert "Beside the estimate" in page
    assert "loss.backward()" in page


def test_a_report_of_something_else_is_refused(lab: Lab) -> None:
    (lab.folder / "other.json").write_text('{"version": 1}', encoding="utf-8")
    done = lab.command("other.json")
    assert done.returncode == 2
    assert b"no report" in done.stderr
