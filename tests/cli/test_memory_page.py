"""The HTML page of a memory report: one file, all figures in it, whatever the code holds."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """import torch
from torch import nn

net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 30 * 30, 10)).cuda()
optimizer = torch.optim.Adam(net.parameters())
for step in range(1000):
    x = torch.rand(32, 3, 32, 32).cuda()
    loss = net(x).mean()  # </script><b>&amp;
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def page(folder: Path, form: str = "html") -> str:
    (folder / "train.py").write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, "-m", "trainlint", "memory", "--gpu", "RTX 3090", "--output-format", form, "train.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=True)
    return done.stdout


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert not re.findall(r"(?:src|href)=", text)
    assert "@import" not in text
    assert text.count("</script>") == 3
    told = json.loads(page(tmp_path, "json"))
    course = json.loads(re.search(r"id='course'>(.*?)</script>", text, re.DOTALL)[1])  # type: ignore[index]
    most = max(point["allocated"] for point in course["points"])
    assert most == told["peak"]["allocated"]
    assert all(sum(point["terms"].values()) == point["allocated"] for point in course["points"])
    assert [name for name in course["phases"] if name != "setup"][:2] == ["forward", "backward"]


def test_code_is_text(tmp_path: Path) -> None:
    assert html.escape("loss = net(x).mean()  # </script><b>&amp;") in page(tmp_path)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_a_browser_draws_the_chart(tmp_path: Path) -> None:
    assert CHROMIUM is not None
    (tmp_path / "page.html").write_text(page(tmp_path), encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=3000"]
    address = (tmp_path / "page.html").as_uri()
    drawn = subprocess.run([*command, address], capture_output=True, text=True, timeout=60, check=True).stdout
    assert "<canvas" in drawn
    assert "activations" in drawn
