"""What a program writes besides printing goes to a temporary folder or nowhere; compilers are off."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

from .after_import import AfterImport


def quiet(patches: AfterImport, temporary: str, note: Callable[[str], None]) -> None:
    """Patch torch and the loggers that are imported later."""
    _no_checkpoints(note)
    _no_compiler(note)
    _no_downloads(note)
    _no_terminal()
    patches.patch("torch.utils.tensorboard.writer", lambda module: _tensorboard(module, temporary))
    patches.patch("timm.models._builder", lambda module: _timm(module, note))
    patches.patch("tensorboardX.writer", lambda module: _tensorboard(module, temporary))


def _no_checkpoints(note: Callable[[str], None]) -> None:
    plain = torch.save

    def save(obj: Any, f: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(f, (str, os.PathLike)):
            note("`torch.save` was skipped: the program's checkpoints are left alone")
            return
        plain(obj, f, *args, **kwargs)

    torch.save = save


def _no_downloads(note: Callable[[str], None]) -> None:
    """Pretrained weights have no bearing on memory: models keep the random ones that they were built with."""
    hub: Any = torch.hub
    plain = hub.load_state_dict_from_url
    module: Any = torch.nn.Module
    plain_load = module.load_state_dict

    def load_url(url: str, *args: Any, **kwargs: Any) -> Any:
        name = os.path.basename(url)
        if os.path.exists(os.path.join(hub.get_dir(), "checkpoints", name)):
            return plain(url, *args, **kwargs)
        note(f"the weights {name} are not on this machine and were not downloaded: random ones took their place")
        return Absent()

    def load(self: Any, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(state_dict, Absent):
            return torch.nn.modules.module._IncompatibleKeys([], [])
        return plain_load(self, state_dict, *args, **kwargs)

    hub.load_state_dict_from_url = load_url
    module.load_state_dict = load


def _timm(module: ModuleType, note: Callable[[str], None]) -> None:
    """A model of timm whose pretrained weights cannot be had keeps its random ones."""
    builder: Any = module
    plain = builder.load_pretrained

    def load(model: Any, *args: Any, **kwargs: Any) -> None:
        try:
            plain(model, *args, **kwargs)
        except Exception as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
            note(f"the weights of {type(model).__name__} cannot be had ({reason}): random ones took their place")

    builder.load_pretrained = load


def _no_terminal() -> None:
    """Progress bars ask `stty size`, which fails without a terminal: they are told of one of 80 columns."""
    plain = os.popen

    def popen(cmd: str, *args: Any, **kwargs: Any) -> Any:
        if cmd.split() == ["stty", "size"]:
            return io.StringIO("24 80\n")
        return plain(cmd, *args, **kwargs)

    system: Any = os
    system.popen = popen


class Absent(dict):  # type: ignore[type-arg]
    """The weights of a file that is not here."""


def _no_compiler(note: Callable[[str], None]) -> None:
    """Compiled code is the program's own code again, so that its lines are seen."""

    def compile(model: Any = None, *args: Any, **kwargs: Any) -> Any:
        note("`torch.compile` is switched off for the run: the figures are those of the uncompiled program")
        return (lambda decorated: decorated) if model is None else model

    def compile_module(self: Any, *args: Any, **kwargs: Any) -> None:
        compile(self)

    def script(obj: Any, *args: Any, **kwargs: Any) -> Any:
        note("`torch.jit.script` is switched off for the run")
        return obj

    torch.compile = compile
    torch.nn.Module.compile = compile_module
    torch.jit.script = script


def _tensorboard(module: ModuleType, temporary: str) -> None:
    """A `SummaryWriter` writes below the temporary folder."""
    writer: Any = getattr(module, "SummaryWriter", None)
    if writer is None:
        return
    plain = writer.__init__

    def init(self: Any, log_dir: Any = None, *args: Any, **kwargs: Any) -> None:
        kwargs.pop("logdir", None)
        plain(self, os.path.join(temporary, "tensorboard"), *args, **kwargs)

    writer.__init__ = init
