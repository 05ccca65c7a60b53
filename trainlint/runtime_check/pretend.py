"""Pretends a CUDA card on a machine without one: the program's tensors are CPU tensors, real or fake.

Fake tensors of the device "cuda" cannot run backward on such a machine in any build (PyTorch issue 92627), so "cuda" is
mapped to the CPU in Python and the tracker keeps the two sides apart.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
import torch.amp.autocast_mode
import torch.amp.grad_scaler
from torch._subclasses.fake_tensor import FakeTensor
from torch.overrides import TorchFunctionMode

from .answers import without_fakes
from .modes import without_modes
from .tracker import Tracker

CPU = torch.device("cpu")
CARD = torch.device("cuda", 0)
TORCH = os.path.join(os.path.dirname(torch.__file__), "")
OURS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
NAME = "a pretended GPU"
# what a program may ask about the card: an A100's figures, as a common card for training
MEMORY = 80 * 1024**3
CAPABILITY = (8, 0)


# attributes are made anew each time they are looked up, and are equal then, not identical
_DEVICE: Any = torch.Tensor.device.__get__
_ABOUT_THE_SIDE = frozenset({_DEVICE, torch.Tensor.is_cuda.__get__, torch.Tensor.get_device})


def is_card(device: Any) -> bool:
    if isinstance(device, torch.device):
        return bool(device.type == "cuda")
    return isinstance(device, str) and device.partition(":")[0] == "cuda"


class Pretend(TorchFunctionMode):
    """Maps "cuda" to the CPU in every call, makes transfers copies, and answers for values that do not exist."""

    def __init__(self, tracker: Tracker) -> None:
        super().__init__()
        self.tracker = tracker
        # called with the tensor that a transfer made
        self.on_transfer: Callable[[torch.Tensor], None] = lambda tensor: None
        # applied to each call: the rules of CUDA's autocast
        self.adapt: Callable[[Any, Any, Any], tuple[Any, Any]] = lambda func, args, kwargs: (args, kwargs)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        T = torch.Tensor
        if func is torch.device:
            # a number alone means that card
            return torch.device("cuda", args[0]) if args and type(args[0]) is int else func(*args, **kwargs)
        if type(kwargs.get("device")) is int:
            kwargs["device"] = CARD
        if func is T.to:
            args = (args[0], *(CARD if type(each) is int else each for each in args[1:]))
        if func in _ABOUT_THE_SIDE:
            return self._side(func, args[0])
        if func is T.type and len(args) > 1:
            dtype = legacy_dtype(args[1])
            if dtype is not None:
                return self._move(T.to, (args[0], CARD, dtype), {})
        if func is T.cpu:
            return args[0].detach().clone()
        if func is T.pin_memory:
            # memory of the host, which does not count
            return args[0]
        if func is T.cuda or (func is T.to and self._moves(args, kwargs)):
            return self._move(func, args, kwargs)
        if func in (torch.tensor, torch.as_tensor) and args and isinstance(args[0], (list, tuple)):
            args = (without_fakes(args[0]), *args[1:])
        if args and isinstance(args[0], FakeTensor):
            done, value = placeholder(func, args)
            if done:
                return value
        return self._called(func, args, kwargs)

    def _called(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Run a call, with the card's devices mapped to the CPU; what it makes is on the card then."""
        kwargs.pop("pin_memory", None)
        hit = any(map(is_card, args)) or is_card(kwargs.get("device"))
        args, kwargs = self.adapt(func, args, kwargs)
        if not hit:
            return func(*args, **kwargs)
        args, kwargs = on_cpu(args, kwargs)
        self.tracker.forced += 1
        try:
            return func(*args, **kwargs)
        finally:
            self.tracker.forced -= 1

    def _side(self, func: Any, tensor: torch.Tensor) -> Any:
        """What a tensor says of where it lives."""
        card = self.tracker.on_card(tensor)
        if func == _DEVICE:
            return CARD if card and not asked_by_torch(3) else func(tensor)
        if func is torch.Tensor.get_device:
            return 0 if card else -1
        return card

    def _moves(self, args: Any, kwargs: Any) -> bool:
        """Is this `.to` a move to the card?"""
        if any(map(is_card, args[1:])) or is_card(kwargs.get("device")):
            return True
        return any(isinstance(each, torch.Tensor) and self.tracker.on_card(each) for each in args[1:])

    def _move(self, func: Any, args: Any, kwargs: Any) -> Any:
        tensor = args[0]
        if func is torch.Tensor.cuda:
            args, kwargs = (tensor,), {}
        args, kwargs = on_cpu(args, kwargs)
        kwargs.pop("non_blocking", None)
        if self.tracker.on_card(tensor):
            return tensor if func is torch.Tensor.cuda else torch.Tensor.to(*args, **kwargs)
        if len(args) == 1 and not kwargs:
            args = (tensor, CPU)
        kwargs["copy"] = True
        self.tracker.forced += 1
        try:
            moved = torch.Tensor.to(*args, **kwargs)
        finally:
            self.tracker.forced -= 1
        if not moved.requires_grad:
            self.on_transfer(moved)
        return moved


def on_cpu(args: Any, kwargs: Any) -> tuple[Any, Any]:
    """The arguments of a call with the card's devices replaced."""
    args = tuple(CPU if is_card(each) else each for each in args)
    if is_card(kwargs.get("device")):
        kwargs["device"] = CPU
    return args, kwargs


def asked_by_torch(depth: int) -> bool:
    """Does torch itself ask, rather than the program or a library above torch? Torch must get true answers."""
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None and frame.f_code.co_filename.startswith(OURS):
        frame = frame.f_back
    return frame is None or frame.f_code.co_filename.startswith(TORCH)


def placeholder(func: Any, args: Any) -> tuple[bool, Any]:
    """A value where the program wants one of a fake tensor: (whether `func` is such a question, the answer)."""
    T = torch.Tensor
    tensor = args[0]
    if func is T.__format__:
        return True, format(1.0, args[1]) if tensor.dim() == 0 and args[1] else "tensor(...)"
    if func in (T.__repr__, T.__str__):
        return True, f"tensor(..., size={tuple(tensor.shape)}, dtype={tensor.dtype})"
    if func in (T.numpy, T.tolist, T.__array__):
        with without_modes():
            known = getattr(tensor, "constant", None)
            blank = torch.ones(tuple(tensor.shape), dtype=tensor.dtype) if known is None else known.clone()
            return True, blank.tolist() if func is T.tolist else blank.numpy()
    return False, None


def pretend_cuda(tracker: Tracker, fake: bool) -> None:
    """Patch `torch` so that a program sees one CUDA card. Nothing is undone: the process ends after the step."""
    _patch_cuda_module()
    _patch_legacy_types(tracker)
    _patch_modules(tracker, fake)
    _patch_amp()
    if fake:
        _patch_fake_device(tracker)


def _patch_cuda_module() -> None:
    cuda: Any = torch.cuda
    for name in (
        *("set_device", "synchronize", "manual_seed", "manual_seed_all", "empty_cache", "init", "_lazy_init"),
        *("reset_peak_memory_stats", "reset_max_memory_allocated", "ipc_collect", "set_per_process_memory_fraction"),
    ):
        setattr(cuda, name, answering(None))
    for name in ("memory_allocated", "max_memory_allocated", "memory_reserved", "max_memory_reserved"):
        setattr(cuda, name, answering(0))
    properties = type(
        "_CudaDeviceProperties",
        (),
        {"name": NAME, "total_memory": MEMORY, "major": 8, "minor": 0, "multi_processor_count": 108, "warp_size": 32},
    )()
    answers: dict[str, Any] = {
        "is_available": True,
        "is_initialized": True,
        "device_count": max(1, int(os.environ.get("LOCAL_WORLD_SIZE") or 1)),
        "current_device": int(os.environ.get("LOCAL_RANK") or 0),
        "get_device_name": NAME,
        "get_device_capability": CAPABILITY,
        "get_device_properties": properties,
        "is_bf16_supported": True,
        "mem_get_info": (MEMORY, MEMORY),
        "memory_stats": {},
        "memory_summary": "",
        "get_rng_state_all": [],
    }
    for name, value in answers.items():
        setattr(cuda, name, answering(value))
    # the random state of the card is that of the CPU here
    cuda.get_rng_state = lambda device=None: torch.random.get_rng_state()
    cuda.set_rng_state = lambda state, device=None: torch.random.set_rng_state(state)
    cuda.set_rng_state_all = answering(None)
    cuda.initial_seed = torch.random.initial_seed
    for name in ("Stream", "Event"):
        setattr(cuda, name, _Idle)
    for name in ("current_stream", "default_stream", "stream", "device"):
        setattr(cuda, name, answering(_Idle()))
    if hasattr(torch, "accelerator"):
        accelerator: Any = torch.accelerator
        accelerator.is_available = answering(True)
        accelerator.current_accelerator = answering(torch.device("cuda"))
        accelerator.device_count = answering(1)
        accelerator.current_device_index = answering(0)
        accelerator.current_device_idx = answering(0)
        for name in ("synchronize", "set_device_index", "set_device_idx", "empty_cache"):
            setattr(accelerator, name, answering(None))
    torch.backends.cuda.is_built = answering(True)
    _patch_data_parallel()
    torch.Generator = _generators()


def _patch_data_parallel() -> None:
    """On one card `DataParallel` is the model itself. It stays a class: libraries ask whether a model is one."""
    plain: Any = torch.nn.DataParallel

    class Kind(type(plain)):  # type: ignore[misc]
        def __instancecheck__(cls, value: Any) -> bool:
            return isinstance(value, plain)

        def __call__(cls, module: Any, *args: Any, **kwargs: Any) -> Any:
            return module

    torch.nn.DataParallel = torch.nn.parallel.DataParallel = Kind(
        "DataParallel", (plain,), {"__module__": plain.__module__}
    )


def answering(value: Any) -> Callable[..., Any]:
    """A function that always gives `value`. Each is one of its own: torch keeps tables by function."""
    return lambda *args, **kwargs: value


def _generators() -> Any:
    """`torch.Generator` for a pretended card; it stays a class, and all generators are its instances."""
    plain: Any = torch.Generator

    class Kind(type):
        def __instancecheck__(cls, value: Any) -> bool:
            return isinstance(value, plain)

        def __call__(cls, device: Any = CPU) -> Any:
            return plain(CPU if is_card(device) else device)

    return Kind("Generator", (), {"__module__": "torch._C"})


# the old tensor types of a card, as `torch.cuda.FloatTensor`
LEGACY: dict[str, torch.dtype] = {
    "FloatTensor": torch.float32,
    "DoubleTensor": torch.float64,
    "HalfTensor": torch.float16,
    "BFloat16Tensor": torch.bfloat16,
    "LongTensor": torch.int64,
    "IntTensor": torch.int32,
    "ShortTensor": torch.int16,
    "ByteTensor": torch.uint8,
    "CharTensor": torch.int8,
    "BoolTensor": torch.bool,
}


def legacy_dtype(kind: Any) -> torch.dtype | None:
    """The dtype of an old type of the card, given as the type or its name; None for all else."""
    if isinstance(kind, type):
        return getattr(kind, "_legacy_dtype", None)
    if isinstance(kind, str) and kind.startswith("torch.cuda."):
        return LEGACY.get(kind.rpartition(".")[2])
    return None


def _patch_legacy_types(tracker: Tracker) -> None:
    def make(name: str, dtype: torch.dtype) -> Any:
        class Kind(type):
            def __instancecheck__(cls, value: Any) -> bool:
                return isinstance(value, torch.Tensor) and value.dtype is dtype and tracker.on_card(value)

            def __call__(cls, *args: Any) -> Any:
                if len(args) == 1 and not isinstance(args[0], (int, torch.Size)):
                    return torch.as_tensor(args[0], dtype=dtype, device="cuda")
                return torch.empty(*args, dtype=dtype, device="cuda")

        return Kind(name, (), {"__module__": "torch.cuda", "_legacy_dtype": dtype})

    for name, dtype in LEGACY.items():
        setattr(torch.cuda, name, make(name, dtype))


class _Idle:
    """A stream, an event or a device guard that does nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __enter__(self) -> _Idle:
        return self

    def __exit__(self, *args: Any) -> None:
        pass

    def elapsed_time(self, end: Any) -> float:
        return 1.0

    def query(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: None


def _patch_modules(tracker: Tracker, fake: bool) -> None:
    """`Module.to` moves in place, as it does; under fake tensors it cannot swap them for others."""
    Module: Any = torch.nn.Module
    plain_to = Module.to

    def moved(module: Any) -> Any:
        for tensor in [*module.parameters(), *module.buffers()]:
            tracker.promote(tensor)
            if tensor.grad is not None:
                tracker.promote(tensor.grad)
        return module

    def to(self: Any, *args: Any, **kwargs: Any) -> Any:
        wanted = [*args, *kwargs.values()]
        tensor = next((each for each in wanted if isinstance(each, torch.Tensor)), None)
        dtype = next(
            (each for each in wanted if isinstance(each, torch.dtype)), tensor.dtype if tensor is not None else None
        )
        if (
            any(map(is_card, wanted))
            or any(type(each) is int for each in wanted)
            or (tensor is not None and tracker.on_card(tensor))
        ):
            moved(self)
        layout = kwargs.get("memory_format")
        if layout is not None:
            plain_to(self, memory_format=layout)
        if dtype is not None:
            plain_to(self, dtype)
        return self

    Module.to = to
    Module.cuda = lambda self, device=None: moved(self)
    if fake:
        Module._apply = _apply


def _apply(self: Any, fn: Any, recurse: bool = True) -> Any:
    """`Module._apply` for fake tensors: new parameters in the place of the old ones, shared ones staying shared."""
    made: dict[int, Any] = {}
    for module in self.modules() if recurse else [self]:
        for name, parameter in module._parameters.items():
            if parameter is None:
                continue
            if id(parameter) not in made:
                with torch.no_grad():
                    changed = fn(parameter)
                if changed is not parameter:
                    changed = torch.nn.Parameter(changed, parameter.requires_grad)
                made[id(parameter)] = (changed, parameter)
            module._parameters[name] = made[id(parameter)][0]
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = fn(buffer)
    return self


def _patch_amp() -> None:
    """Autocast and gradient scalers for "cuda" work on the CPU; a scaler never skips a step."""
    autocast: Any = torch.amp.autocast_mode.autocast
    plain = autocast.__init__

    def init(self: Any, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: Any = None) -> None:
        if is_card(device_type):
            device_type, dtype = "cpu", dtype or torch.float16
        plain(self, device_type, dtype=dtype, enabled=enabled, cache_enabled=cache_enabled)

    autocast.__init__ = init
    scaler: Any = torch.amp.grad_scaler.GradScaler
    plain_scaler = scaler.__init__

    def scaler_init(self: Any, device: str = "cuda", *args: Any, **kwargs: Any) -> None:
        plain_scaler(self, "cpu" if is_card(device) else device, *args, **kwargs)

    scaler.__init__ = scaler_init
    scaler._maybe_opt_step = lambda self, optimizer, state, *args, **kwargs: optimizer.step(*args, **kwargs)
    for name in ("is_autocast_enabled", "get_autocast_dtype", "set_autocast_enabled", "set_autocast_dtype"):
        asked = getattr(torch, name)

        def on_the_cpu(*args: Any, _asked: Any = asked) -> Any:
            # without a device these ask about CUDA
            if not args or not isinstance(args[0], (str, torch.device)):
                args = ("cuda", *args)
            return _asked("cpu" if is_card(args[0]) else args[0], *args[1:])

        setattr(torch, name, on_the_cpu)


def _patch_fake_device(tracker: Tracker) -> None:
    """`tensor.device` of a fake tensor on the card says "cuda" to the program, and the truth to torch."""
    plain = FakeTensor.device.fget

    def device(self: Any) -> Any:
        true = plain(self)
        if asked_by_torch(1) or true.type != "cpu" or not tracker.on_card(self):
            return true
        return CARD

    FakeTensor.device = property(device)
    FakeTensor.__deepcopy__ = _deepcopy
    torch.Tensor.share_memory_ = lambda self: self
    torch.nn.Module.share_memory = lambda self: self


def _deepcopy(self: Any, memo: dict[int, Any]) -> Any:
    """A copy of a fake tensor on its side. What torch does would copy the mode behind the tensor, too."""
    if id(self) in memo:
        return memo[id(self)]
    with torch.no_grad():
        copied: Any = self.detach().clone()
    if isinstance(self, torch.nn.Parameter):
        copied = torch.nn.Parameter(copied, self.requires_grad)
    else:
        copied.requires_grad_(self.requires_grad)
    if self.is_leaf and self.grad is not None:
        copied.grad = _deepcopy(self.grad, memo)
    memo[id(self)] = copied
    return copied
