"""A batch size that a program gets from outside and `--batch-size` gives: as if the program stated it."""

from __future__ import annotations

from pathlib import Path

import pytest
from memory_workspace import MemoryWorkspace
from projects import projected
from sharded import SHARDED, written

from trainlint.memory.estimate import Estimate
from trainlint.memory.fits import Curve
from trainlint.memory.target import target_of
from trainlint.project.config import Overrides
from trainlint.project.session import Session
from trainlint.rules.engine import Analyser
from trainlint.rules.registry import all_rules
from trainlint.syntax.document import Document

HEAD = """
import argparse
import os
import sys

import torch
import yaml
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--batch-size", type=int, required=True)
parser.add_argument("--width", type=int, default=64)
args = parser.parse_args()
"""
# no loader: the sizes of tensors are what is read
BODY = """
net = nn.Sequential(nn.Linear(200, 300), nn.ReLU(), nn.Linear(300, 10)).cuda()
optimizer = torch.optim.Adam(net.parameters())
for _ in range(100):
    x = torch.randn(BATCH, 200, device="cuda")
    y = torch.zeros(BATCH, dtype=torch.long, device="cuda")
    loss = nn.functional.cross_entropy(net(x.view(BATCH, -1)), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
SOURCES = {
    "an option without a default": ("", "args.batch_size"),
    "an argument": ("count = int(sys.argv[1])\n", "count"),
    "the environment": ('count = int(os.environ["COUNT"])\n', "count"),
    "the environment, with a method": ('bs = int(os.environ.get("BS"))\n', "bs"),
    "a file that is not here": ('cfg = yaml.safe_load(open("missing.yaml"))\n', 'cfg["train"]["n"]'),
    "a module that is not here": ("from settings import BATCH_SIZE\n", "BATCH_SIZE"),
    "an attribute of such a module": ("import settings\n", "settings.batch_size"),
    "a share of it": ("share = args.batch_size // 4\n", "share"),
}


def estimated(code: str, batch: int | None) -> Estimate:
    (found,) = Analyser(MemoryWorkspace({})).memory("/project/train.py", Document(code), batch)
    return found


def figures(found: Estimate) -> tuple[object, ...]:
    return found.batch_size, found.terms, found.peak, found.unknown


@pytest.mark.parametrize("name", SOURCES)
def test_it_is_as_if_it_were_stated(name: str) -> None:
    setting, batch = SOURCES[name]
    code = HEAD + setting + BODY.replace("BATCH", batch)
    assert estimated(code, None).batch_size is None
    assert estimated(code, None).unknown
    given, stated = estimated(code, 32), estimated(HEAD + setting + BODY.replace("BATCH", "32"), None)
    assert stated.unknown == []
    assert figures(given) == figures(stated)
    # and any other size from there
    assert figures(Curve(given).at(48)) == figures(estimated(HEAD + setting + BODY.replace("BATCH", "48"), None))


def test_a_parameter_that_no_call_fills() -> None:
    code = HEAD + "def train(size):\n" + BODY.replace("BATCH", "size").replace("\n", "\n    ")
    stated = estimated(f"{code}\ntrain(32)\n", None)
    assert figures(estimated(code, 32))[:2] == figures(stated)[:2]
    assert figures(estimated(code, 32))[3] == []


def test_a_parameter_is_given_only_where_it_is_not_known() -> None:
    """One function makes both: what is stated for the other stays."""
    make = "def noise(count):\n    return torch.randn(count, 200, device='cuda')\n"
    code = HEAD + make + BODY.replace('torch.randn(BATCH, 200, device="cuda")', "noise(BATCH)")
    code = code.replace("view(BATCH, -1)), y)", "view(BATCH, -1)), y) + noise(1000).sum()")
    code = code.replace("BATCH", "args.batch_size")
    given, stated = estimated(code, 32), estimated(code.replace("args.batch_size", "32"), None)
    assert figures(given) == figures(stated)


def test_what_is_no_batch_size_is_not_given() -> None:
    code = HEAD + BODY.replace("BATCH", "args.batch_size").replace("300", "int(sys.argv[2])")
    found = estimated(code, 32)
    assert found.batch_size == 32
    assert [what for _, what in found.unknown][:1] == ["`0`: the size of `weight` is not known"]


def test_across_files() -> None:
    options = HEAD.replace("import torch\nimport yaml\nfrom torch import nn\n", "").replace("args = ", "ARGS = ")
    main = "import torch\nfrom torch import nn\nfrom options import ARGS\n" + BODY
    (given,) = projected({"options.py": options, "main.py": main.replace("BATCH", "ARGS.batch_size")}, batch=32)
    (stated,) = projected({"options.py": options, "main.py": main.replace("BATCH", "32")})
    assert figures(given) == figures(stated)


def test_a_size_that_cannot_be_given_is_not_claimed() -> None:
    code = HEAD + BODY.replace("BATCH", "int(torch.rand(1) * 10)")
    assert estimated(code, 32).batch_size is None


def test_rules_and_notes_share_among_as_many_processes_as_are_asked_for() -> None:
    code = written(SHARDED["each block and the model"])
    rules = [all_rules()["BS001"]]
    target = target_of(None, 2**20 * 320)
    path, document = "/project/train.py", Document(code)

    def shown(processes: int) -> tuple[list[str], list[str]]:
        analyser = Analyser(MemoryWorkspace({}))
        notes, _ = analyser.notes(path, document, lambda path, line: f"{path}:{line}", processes=processes)
        found = analyser.check(path, document, rules, None, target, processes)
        return [lens.title for lens in notes.lenses], [each.message for each in found]

    one, sixteen = shown(1), shown(16)
    assert one[0] != sixteen[0]
    assert (len(one[1]), len(sixteen[1])) == (1, 0)


HYDRA = """
import hydra
import torch
from torch import nn


@hydra.main(config_path="conf", config_name="config", version_base=None)
def main(cfg):
    size, width = cfg.batch_size, cfg.model.width
BODY


main()
"""
CONFIGS = {
    "conf/config.yaml": "defaults:\n  - model: small\n  - missing: one\n  - _self_\nbatch_size: 64\n",
    "conf/model/small.yaml": "width: 300\n",
}


def test_the_configuration_of_hydra(tmp_path: Path) -> None:
    """The file that the decorator names and the groups of its defaults, which an option can change."""
    body = BODY.replace("BATCH", "size").replace("300", "width").replace("\n", "\n    ")
    files = {**CONFIGS, "train.py": HYDRA.replace("BODY", body)}
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    session = Session([str(tmp_path)], Overrides())
    for given, batch in ((None, 64), (32, 32)):
        (found,) = session.memory(str(tmp_path / "train.py"), given)
        stated = estimated(HEAD + BODY.replace("BATCH", str(batch)), None)
        assert figures(found)[:2] == figures(stated)[:2]
        assert found.unknown == []
        assert found.peak.allocated == stated.peak.allocated
