"""The arguments of operations, layers and optimizers, by the names of their signatures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

# arguments behind a `*`, or at a position that has no name
HIDDEN = "*"


class Unclear(Exception):
    """An option decides about memory and its value is not known."""


class Options:
    """The arguments by name. The name `HIDDEN` says that others may have been given that have no name here.

    A value that is not a plain number, string, None or tuple of those counts as unknown: asking for it raises
    `Unclear`. Options nobody asks for may be unknown.
    """

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def value(self, name: str, default: object = None) -> object:
        """The option as it is, or `default` where it was not given."""
        if name not in self._values and HIDDEN in self._values:
            raise Unclear(name)
        found = self._values.get(name, default)
        if not plain(found):
            raise Unclear(name)
        return found

    def told(self, name: str, default: bool = False) -> bool:
        """What only the caller of the tables says (`copies`, `same`), never the program."""
        return bool(self._values.get(name, default))

    def number(self, name: str, default: float) -> float:
        found = self.value(name, default)
        if not isinstance(found, (bool, int, float)):
            raise Unclear(name)
        return found

    def on(self, name: str, default: bool = False) -> bool:
        """Whether the option is true (a number other than zero counts, as in Python)."""
        return bool(self.value(name, default))


def plain(value: object) -> bool:
    """Whether the value is a Python constant that can be reasoned about."""
    if isinstance(value, (tuple, list)):
        return all(plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str))


def positions(qualified: str) -> Sequence[str] | None:
    """The names of the positional arguments of `torch.nn.GroupNorm` or `Tensor.mean`, None where they are not known.

    `signatures.json` holds what torch says of itself (`tools/gen_signatures.py`). A method is the function of that name
    without its first argument.
    """
    module, _, name = qualified.rpartition(".")
    if module == "operator":
        return ("input", "exponent" if name == "**" else "other")
    if module == "Tensor":
        found = signatures()["torch"].get(name)
        return None if found is None else found[1:]
    return signatures().get(module, {}).get(name)


@cache
def signatures() -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Module → class or function → names of its positional arguments."""
    text = files("trainlint.memory").joinpath("signatures.json").read_text(encoding="utf-8")
    loaded: Mapping[str, Mapping[str, Sequence[str]]] = json.loads(text)
    return loaded
