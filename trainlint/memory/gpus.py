"""GPUs and the cloud instances that have them: names, memory, architecture. The data and its sources are in gpus.json.

Three figures say how much memory a GPU has, each a little smaller than the one before: what it is sold as, the total
that `nvidia-smi` prints, and what CUDA or HIP reports to PyTorch as `total_memory`. Only the last can be used; the CUDA
context comes out of it as well (`trainlint.memory.device`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

MIB = 1 << 20
GIB = 1 << 30

Basis = Literal["reported", "nvidia-smi", "nominal"]

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?", re.IGNORECASE)
SIZE_FORMS = "24GiB (1024³ bytes), 24GB (1000³), 24576MiB or a number of bytes"

# words of a GPU's full name that do not tell it from others
_NOISE = {
    *("nvidia", "geforce", "tesla", "amd", "instinct", "radeon", "gpu", "graphics", "card", "tensor", "core"),
    *("generation", "gen", "edition", "server", "workstation", "with", "max", "q", "design"),
    *("ac", "sxm", "sxm2", "sxm3", "sxm4", "sxm5", "sxm6", "pcie", "oam", "hbm2", "hbm2e", "hbm3", "hbm3e"),
}
_VENDOR = re.compile(r"^(?:nvidia|geforce|tesla|amd|instinct|radeon)+(?=.)")
# `8xA100`, `8 x A100`, `A100 x8`: the number of GPUs is no part of the name
_COUNT = re.compile(r"^\s*\d+\s*[x×*]\s*(?=\w)|\s+[x×*]\s*\d+\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Instance:
    """A family of cloud instances, or a free notebook service; `sizes` are (name, number of GPUs)."""

    provider: str
    family: str
    gpu: str
    sizes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Gpu:
    """One device as PyTorch sees it.

    `gigabytes` is what it is sold with. `usable` are the bytes that CUDA or HIP reports, and `basis` says how they are
    known: "reported" in public logs (drivers differ by up to 2 %), estimated from the total of "nvidia-smi", or from
    the "nominal" size. `target` is what code is compiled for: `sm_86`, `gfx942`.
    """

    name: str
    vendor: str
    gigabytes: int
    usable: int
    basis: Basis
    architecture: str
    target: str
    instances: tuple[Instance, ...] = ()
    note: str = ""

    @property
    def bfloat16(self) -> bool:
        """Does the GPU compute in bfloat16 itself?

        `is_bf16_supported` in torch/cuda/__init__.py: on NVIDIA from compute capability 8.0 on, older ones emulate it
        and are slower than in float32; on AMD always.
        """
        return self.capability is None or self.capability >= (8, 0)

    @property
    def capability(self) -> tuple[int, int] | None:
        """The CUDA compute capability, (8, 6); None on AMD."""
        if not self.target.startswith("sm_"):
            return None
        digits = self.target[3:]
        return int(digits[:-1]), int(digits[-1])


def find(name: str) -> Gpu | None:
    """The GPU called `name`: `3090`, `rtx3090`, `NVIDIA A100-SXM4-80GB`, or an instance such as `g5.xlarge`.

    A name that is sold with several sizes of memory (`A100`) is the smallest of the common ones (40 GB).
    """
    keys = _keys()
    return keys.get(_key(name)) or keys.get(_key(_COUNT.sub("", name)))


def nearest(name: str, most: int = 3) -> list[str]:
    """Names of GPUs that look like `name`, the likeliest first; for the message that it is not known."""
    import difflib

    wanted = _key(_COUNT.sub("", name))
    if not wanted:
        return []
    keys = _keys()
    # parts of each other come before what is only spelled alike: `7900`, `rtx4090super`
    parts = [key for key in keys if wanted in key or (len(key) >= 3 and key in wanted)]
    parts.sort(key=lambda key: abs(len(key) - len(wanted)))
    alike = difflib.get_close_matches(wanted, keys, most * 4, 0.6)
    return list(dict.fromkeys(keys[key].name for key in parts + alike))[:most]


def matching(text: str) -> list[Gpu]:
    """The GPUs that have every word of `text` in their name, architecture or instances."""
    wanted = [_compact(word) for word in text.split()]
    return [gpu for gpu in everything() if all(any(word in part for part in _parts(gpu)) for word in wanted)]


def largest() -> Gpu:
    """The GPU with the most memory: what does not fit into it fits into none."""
    return max(everything(), key=lambda gpu: gpu.usable)


def parse_memory(text: str) -> int:
    """Bytes of `24GiB`, `24 GB` (decimal), `24576MiB` or `25769803776`. The ValueError says what is allowed."""
    match = SIZE.fullmatch(text.strip())
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"{text!r} is no size of memory; write {SIZE_FORMS}")
    unit = 1024 if match[3] else 1000
    return int(float(match[1]) * unit ** " KMGT".index(match[2].upper() or " "))


@cache
def everything() -> tuple[Gpu, ...]:
    """All GPUs, in the order of the data file: by line of products, then by age."""
    data = _data()
    instances = [Instance(i["provider"], i["family"], i["gpu"], tuple(i["sizes"].items())) for i in data["instances"]]
    return tuple(
        Gpu(
            entry["name"],
            entry["vendor"],
            entry["gb"],
            *_usable(entry),
            entry["architecture"],
            entry["target"],
            tuple(instance for instance in instances if instance.gpu == entry["name"]),
            entry.get("note", ""),
        )
        for entry in data["gpus"]
    )


def _usable(entry: dict[str, Any]) -> tuple[int, Basis]:
    """Bytes that PyTorch sees, and how they are known.

    Where no log shows them, what the driver keeps is subtracted. On NVIDIA that is 330 MiB and half a percent of the
    total, which meets the cards with both figures and a driver of 2024 or later within 70 MiB (RTX 3060: 378 MiB, 3090:
    452, 4080 Super: 432, 4090: 483, 5060 Ti: 463, 5090: 500, 6000 Ada: 643); older drivers keep less. On AMD it is
    0.31 GiB, as with the newest ROCm on MI300X and MI325X.
    """
    if "reported" in entry:
        return entry["reported"] * MIB, "reported"
    total = entry.get("smi", entry["gb"] * 1024)
    kept = 320 if entry["vendor"] == "AMD" else 330 + total // 200
    return (total - kept) * MIB, "nvidia-smi" if "smi" in entry else "nominal"


def _data() -> dict[str, Any]:
    import json
    from importlib.resources import files

    loaded: dict[str, Any] = json.loads((files("trainlint.memory") / "gpus.json").read_text(encoding="utf-8"))
    return loaded


@cache
def _keys() -> dict[str, Gpu]:
    """Whatever a person may type, as `_key` makes it, to the GPU. A derived name that fits two leads to neither."""
    result: dict[str, Gpu] = {}
    derived: dict[str, set[str]] = {}
    gpus = {gpu.name: gpu for gpu in everything()}
    for entry in _data()["gpus"]:
        for name in (entry["name"], *entry.get("aliases", ())):
            result[_key(name)] = gpus[entry["name"]]
            for key in _variants(_key(name), entry["gb"]):
                derived.setdefault(key, set()).add(entry["name"])
        for key in _of_instances(gpus[entry["name"]]):
            derived.setdefault(key, set()).add(entry["name"])
    unique = {key: gpus[names.pop()] for key, names in derived.items() if len(names) == 1}
    return {**unique, **result}


def _variants(key: str, gigabytes: int) -> Iterator[str]:
    """`rtx3090` as `3090`, and both with the memory behind them."""
    for stem in (key, re.sub(r"^(?:rtx|gtx|rx)(?=\w*\d)", "", key)):
        base = stem.removesuffix(f"{gigabytes}gb")
        yield from (stem, f"{base}{gigabytes}gb", f"{base}{gigabytes}g", f"{base}{gigabytes}gib", f"{base}{gigabytes}")


def _of_instances(gpu: Gpu) -> Iterator[str]:
    """`g5`, `g5xlarge` and what SageMaker and Azure write before them."""
    for instance in gpu.instances:
        prefix = {"AWS": "ml", "Azure": "standard"}.get(instance.provider, "")
        for name in (instance.family, *(size for size, _ in instance.sizes)):
            if key := _key(name):
                yield from (key, prefix + key)


def _key(name: str) -> str:
    """The name in small letters without spaces, signs and words that tell nothing."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    return _VENDOR.sub("", "".join(word for word in words if word not in _NOISE))


def _compact(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", text.lower())


def _parts(gpu: Gpu) -> list[str]:
    """What a filter looks into."""
    parts = [gpu.vendor, gpu.name, gpu.architecture, gpu.target]
    for instance in gpu.instances:
        parts += [instance.provider, instance.family, *(size for size, _ in instance.sizes)]
    return [_compact(part) for part in parts]
