"""Mistakes that show when the step runs, and a clean program that shows none."""

from __future__ import annotations

from tests.runtime_check.conftest import PLAIN, Lab

WRONG = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(12, 8)
        self.unused = nn.Linear(12, 8)
        self.forgotten = nn.Linear(8, 8)
        self.frozen = nn.Linear(8, 8)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        return self.head(self.frozen(self.forgotten(self.body(x.flatten(1)))))


net = Net().cuda()
with torch.no_grad():
    net.head.weight.mul_(1000)
kept = [*net.body.parameters(), *net.unused.parameters(), *net.head.parameters()]
optimizer = torch.optim.SGD([{"params": kept}, {"params": net.frozen.parameters(), "lr": 0.0}], lr=0.01)
images = torch.full((64, 2, 2, 3), 200.0)


class Data(torch.utils.data.Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, index):
        return torch.full((2, 2, 3), 200.0), index % 4


for x, y in DataLoader(Data(), batch_size=16):
    loss = nn.functional.cross_entropy(net(x.cuda()), y.cuda())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(loss.item(), loss.item(), loss.item())
"""


def test_a_clean_program_has_none(lab: Lab) -> None:
    assert lab.measured(PLAIN, device="cpu").findings == []
    assert lab.measured(PLAIN, device="fake").findings == []


def test_mistakes_are_found_on_their_lines(lab: Lab) -> None:
    lines = WRONG.splitlines()

    def line(text: str) -> int:
        return next(number for number, each in enumerate(lines, 1) if text in each)

    found = lab.measured(WRONG, device="cpu").findings
    places = {(each.code, each.where[1]) for each in found if each.where is not None}
    assert ("RT001", line("self.unused")) in places
    assert ("RT002", line("self.forgotten =")) in places
    assert ("RT003", line("self.frozen =")) in places
    assert ("RT005", line("loss = nn")) in places
    assert ("RT006", line("for x, y")) in places
    assert ("RT007", line("print(loss.item()")) in places
    assert {each.code for each in found} == {"RT001", "RT002", "RT003", "RT005", "RT006", "RT007"}


def test_a_closure_and_a_scaler_are_no_mistakes(lab: Lab) -> None:
    closure = """
    import torch
    from torch import nn

    net = nn.Linear(4, 10).cuda()
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=4)
    scaler = torch.amp.GradScaler("cuda", init_scale=2.0**16)
    x = torch.randn(16, 4).to("cuda")
    y = torch.randint(0, 10, (16,)).to("cuda")


    def closure():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        scaler.scale(loss).backward()
        return loss


    while True:
        optimizer.step(closure)
    """
    assert lab.measured(closure, device="cpu").findings == []


def test_a_loss_that_is_no_number(lab: Lab) -> None:
    text = PLAIN.replace("    loss.backward()", "    loss = loss * float('nan')\n    loss.backward()")
    codes = {(each.code, each.level) for each in lab.measured(text, device="cpu").findings}
    assert ("RT004", "error") in codes


def test_a_graph_that_is_kept(lab: Lab) -> None:
    summed = PLAIN.replace("for images", "total = 0\nfor images") + "    total = total + loss\n"
    listed = PLAIN.replace("for images", "outputs = []\nfor images") + "    outputs.append(loss * 2)\n"
    for text, line in ((summed, "total = total"), (listed, "outputs.append")):
        found = lab.measured(text).findings
        number = next(at for at, each in enumerate(text.splitlines(), 1) if line in each)
        assert ("RT008", number) in {(each.code, each.where and each.where[1]) for each in found}


def test_the_last_loss_under_another_name_is_no_kept_graph(lab: Lab) -> None:
    last = PLAIN.replace("for images", "last = None\nfor images") + "    last = {'loss': loss}\n"
    plain = PLAIN.replace("for images", "total = 0\nfor images") + "    total = total + loss.detach()\n"
    for text in (last, plain):
        measured = lab.measured(text)
        assert measured.findings == []
        assert measured.steps == 2


def test_values_asked_for_again_and_again_on_every_device(lab: Lab) -> None:
    text = PLAIN + "    for _ in range(5):\n        loss.item()\n"
    for device in ("fake", "cpu"):
        found = lab.measured(text, device=device).findings
        assert [(each.code, each.where and each.where[1]) for each in found] == [("RT007", len(text.splitlines()))]
        assert "5 times a step" in found[0].message
