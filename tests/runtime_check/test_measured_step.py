"""The figures of a measured step: terms by hand, the peak against a real run, lines, other forms of programs."""

from __future__ import annotations

import json

from tests.runtime_check.conftest import PLAIN, Lab
from trainlint.memory.recording import Measured

# weights and biases of the convolution and the linear layer of PLAIN
PARAMETERS = 4 * (3 * 16 * 9 + 16 + 16 * 16 * 16 * 10 + 10)
BATCH = 16 * (3 * 16 * 16 * 4 + 8)


def held(measured: Measured) -> dict[int, int]:
    """Bytes at the peak by line of the only file."""
    return {where[1]: size for where, size in measured.figures.peak.lines.items() if where is not None}


def test_terms_are_those_of_the_program(lab: Lab) -> None:
    figures = lab.measured(PLAIN).figures
    terms = figures.terms
    assert terms["parameters"] == terms["gradients"] == terms["optimizer"] == PARAMETERS
    assert terms["batch"] == BATCH
    assert figures.batch_size == 16
    assert figures.parameters * 4 == PARAMETERS
    # input of the ReLU is its own result's storage no more: the convolution's output dies; kept are the ReLU's
    # output, log-softmax (16 x 10) and the loss; the logits are still held by the expression in progress
    assert terms["activations"] >= 16 * 16 * 16 * 16 * 4
    assert sum(figures.peak.roles.values()) == figures.peak.allocated == sum(figures.peak.lines.values())


def test_a_real_run_on_the_cpu_gives_the_same_bytes(lab: Lab) -> None:
    fake = lab.measured(PLAIN, rules="cpu")
    real = lab.measured(PLAIN, device="cpu")
    assert fake.figures.terms == real.figures.terms
    assert fake.figures.peak == real.figures.peak
    assert fake.figures.reserved == real.figures.reserved


def test_lines_carry_the_peak(lab: Lab) -> None:
    measured = lab.measured(PLAIN)
    lines = held(measured)
    assert sum(lines.values()) == measured.figures.peak.allocated
    forward = PLAIN.splitlines().index("    loss = nn.functional.cross_entropy(net(images), labels)") + 1
    assert max(lines, key=lambda line: lines[line]) == forward


def test_rules_of_cuda_keep_a_mask_of_bytes(lab: Lab) -> None:
    """Dropout keeps one byte an element on CUDA, four on the CPU."""
    with_dropout = PLAIN.replace("nn.ReLU()", "nn.Dropout(0.5)")
    cuda = lab.measured(with_dropout, rules="cuda").figures.terms["activations"]
    cpu = lab.measured(with_dropout, rules="cpu").figures.terms["activations"]
    assert cpu - cuda == 3 * 16 * 16 * 16 * 16


def test_a_program_that_uses_no_card(lab: Lab) -> None:
    measured = lab.measured(PLAIN.replace("cuda", "cpu"))
    assert measured.everything
    assert measured.figures.terms["parameters"] == PARAMETERS
    assert measured.figures.terms["batch"] == BATCH


def test_two_optimizers_without_end(lab: Lab) -> None:
    """A GAN: each optimizer has done its steps before the run ends, and the loop has no end of its own."""
    measured = lab.measured(
        """
        import itertools
        import torch
        from torch import nn

        g, d = nn.Linear(8, 32).cuda(), nn.Linear(32, 1).cuda()
        of_g, of_d = torch.optim.Adam(g.parameters()), torch.optim.Adam(d.parameters())
        for step in itertools.count():
            noise = torch.randn(4, 8, device="cuda")
            of_d.zero_grad()
            d(g(noise).detach()).mean().backward()
            of_d.step()
            if step % 2:
                of_g.zero_grad()
                (-d(g(noise)).mean()).backward()
                of_g.step()
        """
    )
    numbers = 8 * 32 + 32 + 32 + 1
    assert measured.figures.parameters == numbers
    assert measured.figures.terms["optimizer"] == 2 * 4 * numbers


def test_gradients_by_hand_without_an_optimizer(lab: Lab) -> None:
    measured = lab.measured(
        """
        import torch

        w = torch.nn.Parameter(torch.zeros(64, 64, device="cuda"))
        net = torch.nn.ParameterList([w])
        while True:
            loss = (torch.randn(8, 64, device="cuda") @ w).pow(2).mean()
            loss.backward()
            with torch.no_grad():
                w -= 0.1 * w.grad
                w.grad = None
        """
    )
    assert measured.figures.terms["parameters"] == measured.figures.terms["gradients"] == 64 * 64 * 4


def test_a_notebook(lab: Lab) -> None:
    head, loop = PLAIN.split("for images", 1)
    sources = [["%matplotlib inline\n", "!pip list\n"], head.splitlines(True), ("for images" + loop).splitlines(True)]
    cells = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": source} for source in sources]
    content = {"cells": [{"cell_type": "markdown", "source": "text"}, *cells], "metadata": {}, "nbformat": 4}
    (lab.folder / "train.ipynb").write_text(json.dumps(content), encoding="utf-8")
    done = lab.command("train.ipynb", "--device", "fake", "--output-format", "json")
    report = json.loads(done.stdout)
    assert report["terms"]["parameters"] == PARAMETERS
    assert {line["cell"] for line in report["lines"]} == {2, 3}


def test_values_that_do_not_exist(lab: Lab) -> None:
    """Conditions, numbers, masks and copies of a fake run: the program goes on, and what was guessed is named."""
    measured = lab.measured(
        """
        import copy
        import torch
        from torch import nn

        net = copy.deepcopy(nn.Sequential(nn.Linear(8, 8), nn.ReLU())).cuda()
        assert net[0].weight.device.type == "cuda" and isinstance(net[0].weight, nn.Parameter)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for step in range(9):
            x = torch.randn(4, 8).cuda()
            y = net(x)
            if torch.isnan(y).any() or not torch.isfinite(y).all():
                raise ValueError("not a number")
            loss = y[x > 0].mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            weights = torch.tensor([loss, loss]).tolist()
            print(f"{loss:.2f} {loss.item()} {float(loss)} {y.detach().cpu().numpy().shape} {weights}")
        """
    )
    assert [text for _, text in measured.figures.unknown] == ["a selection by a mask is counted whole"]
    where = measured.figures.unknown[0][0]
    assert where is not None
    assert where[1] == 14
    assert measured.figures.parameters == 8 * 8 + 8


def test_old_types_and_absent_trackers(lab: Lab) -> None:
    measured = lab.measured(
        """
        import comet_ml
        import torch
        from torch.utils.tensorboard import SummaryWriter

        comet_ml.init(project="x")
        writer = SummaryWriter()
        Tensor = torch.cuda.FloatTensor if torch.cuda.is_available() else torch.FloatTensor
        net = torch.nn.Linear(8, 8).cuda()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for step in range(4):
            x = torch.ones(4, 8, dtype=torch.int64).type(Tensor)
            target = Tensor(4, 8).fill_(1.0)
            assert x.is_cuda and target.is_cuda and isinstance(target, Tensor)
            loss = (net(x) - target).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            writer.add_scalar("loss", loss, step)
        """
    )
    assert measured.figures.parameters == 8 * 8 + 8
    assert "the package comet_ml is not installed: nothing is logged to it" in measured.notes
