"""Record what a training step of named models holds: `tests/memory/{torchvision,timm,transformers}_steps.json`.

    python -m venv models && models/bin/pip install torch torchvision timm transformers
    python tools/record_steps.py transformers --python models/bin/python [--only bert]

Each script (`tests/memory/recorded.py`) is run by `trainlint measure` with CUDA's rules: the models of torchvision and
timm with fake tensors, those of transformers with numbers on the CPU, because they ask whether a mask masks anything.
Nothing is downloaded, weights are random.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "memory")]

import recorded  # noqa: E402
from recorded_models import cases  # noqa: E402

# torchvision imports its compiled operations, which may be those of another build of torch: none of them runs here
PRELUDE = """
import torch
import importlib.util
_stubs = torch.library.Library("torchvision", "FRAGMENT")
for _name in ("nms", "qnms"):
    try:
        _stubs.define(_name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    except RuntimeError:
        pass
"""
VERSIONS = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
FIELDS = {"parameters": "parameters", "gradients": "gradients", "state": "optimizer", "moved": "batch"}
# numbers that fake tensors do not have decide what is built
COMPUTED = ("regnet",)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", choices=sorted(recorded.SCRIPTS))
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has torch and the library")
    parser.add_argument("--only", default="", help="record models whose name contains this; other rows stay")
    options = parser.parse_args()
    path = recorded.HERE / f"{options.library}_steps.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["steps"] if path.exists() else []
    wanted = [case for case in cases(options.library) if options.only.lower() in case["model"].lower()]
    for case in wanted:
        row = measured(options.library, case, options.python)
        print(json.dumps(row))
        rows = [each for each in rows if not same(each, case)] + [row]
    names = [name for name in ("torch", options.library) if name]
    told = subprocess.run([options.python, "-c", VERSIONS, *names], capture_output=True, text=True, check=True)
    rows.sort(key=lambda row: (row["model"], row.get("options", ""), row.get("setup", ""), row["optimizer"]))
    text = json.dumps({"versions": json.loads(told.stdout), "steps": rows}, indent=0)
    path.write_text(text + "\n", encoding="utf-8")


def same(row: dict[str, Any], case: dict[str, Any]) -> bool:
    return all(row.get(key) == value for key, value in case.items())


def measured(library: str, case: dict[str, Any], python: str) -> dict[str, Any]:
    """A row: the case with the bytes of its step."""
    real = library == "transformers" or case["model"].startswith(COMPUTED)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "train.py"
        script.write_text(PRELUDE + recorded.script(library, case), encoding="utf-8")
        command = [sys.executable, "-m", "trainlint", "measure", str(script), "--python", python]
        command += ["--device", "cpu" if real else "fake", "--rules", "cuda", "--output-format", "json"]
        command += ["--timeout", "1200"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{case['model']}: {done.stderr.strip()}")
    report = json.loads(done.stdout)
    terms = report["terms"]
    figures = {ours: terms[theirs] for ours, theirs in FIELDS.items()}
    return {**case, **figures, "activations": terms["activations"], "peak_allocated": report["peak"]["allocated"]}


if __name__ == "__main__":
    main()
