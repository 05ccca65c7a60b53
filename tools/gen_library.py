"""Writes `trainlint/ops/library`: the model sources of a library, trimmed to what decides the memory of a step.

    python tools/gen_library.py [torchvision] [transformers]     # needs the unpacked packages; nothing is imported

Gone are docstrings, annotations, weights, registration, initial values of parameters and what only TorchScript runs.
What stays is the library's own code, under its licence, which is copied beside it. The files are data (`.txt`): they
are interpreted like files of a workspace when a memory estimate is asked for, and never imported.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
import re
import shutil
from pathlib import Path

from library_transformers import FAMILIES, FRAME, family, notice
from trimming import Trim, pruned

TARGET = Path(__file__).parent.parent / "trainlint" / "ops" / "library"
MODULES = (
    *("alexnet", "convnext", "densenet", "efficientnet", "googlenet", "inception", "maxvit", "mnasnet", "mobilenetv2"),
    *("mobilenetv3", "regnet", "resnet", "shufflenetv2", "squeezenet", "swin_transformer", "vgg", "vision_transformer"),
    *("_utils", "segmentation._utils", "segmentation.deeplabv3", "segmentation.fcn", "segmentation.lraspp"),
    *("video.resnet", "video.s3d", "video.swin_transformer", "video.mvit"),
)
OPERATIONS = ("misc", "stochastic_depth", "focal_loss", "giou_loss", "diou_loss", "ciou_loss", "_utils")
# of torch, trimmed by hand: without what asks for the fast path of inference, and with masks as they are given
TRANSFORMER = (
    "Transformer",
    *(f"Transformer{part}{kind}" for part in ("Encoder", "Decoder") for kind in ("", "Layer")),
)


def public(tree: ast.Module) -> list[str]:
    """The names that a module defines and that others may use."""
    names = [node.name for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))]
    names += [
        t.id for node in tree.body if isinstance(node, ast.Assign) for t in node.targets if isinstance(t, ast.Name)
    ]
    return names


def package(name: str, given: Path | None) -> Path:
    """The folder of an installed package, or the one that was given."""
    if given is not None:
        return given
    spec = importlib.util.find_spec(name)
    assert spec is not None, f"{name} is not installed"
    assert spec.origin is not None
    return Path(spec.origin).parent


def written(module: str, tree: ast.Module, notice: str = "") -> int:
    """Write a module below the notice that its licence asks for; gives its bytes."""
    file = (TARGET / Path(*module.split("."))).with_suffix(".txt")
    file.parent.mkdir(parents=True, exist_ok=True)
    text = notice + ast.unparse(ast.fix_missing_locations(tree)) + "\n"
    file.write_text(text, encoding="utf-8")
    return len(text)


def torchvision(source: Path, index: dict[str, str]) -> int:
    """Writes torchvision's models; gives the bytes."""
    folder = TARGET / "torchvision"
    shutil.rmtree(folder, ignore_errors=True)
    size = 0
    for name in (*(f"models.{m}" for m in MODULES), *(f"ops.{m}" for m in OPERATIONS)):
        module = f"torchvision.{name}"
        text = (source / Path(*name.split("."))).with_suffix(".py").read_text(encoding="utf-8")
        exported = (
            set(ast.literal_eval(re.search(r"^__all__ = (\[[^\]]*\])", text, re.M)[1]))
            if "__all__ = [" in text
            else set()
        )
        tree = pruned(Trim(module).visit(ast.parse(text)))
        size += written(module, tree)
        for each in public(tree):
            index[f"{module}.{each}"] = module
            if each in exported or name.startswith("ops."):
                index[f"{module.rpartition('.')[0]}.{each}"] = module
    licence = next(source.parent.glob("torchvision-*.dist-info/**/LICENSE"))
    shutil.copyfile(licence, folder / "LICENSE.txt")
    return size


def transformers(source: Path, index: dict[str, str]) -> int:
    """Writes the families of transformers beside the frame, which stays; gives the bytes."""
    folder = TARGET / "transformers"
    shutil.rmtree(folder / "models", ignore_errors=True)
    size = 0
    for name in FAMILIES:
        module = f"transformers.models.{name}.modeling_{name}"
        tree = family(source, name)
        size += written(module, tree, notice(source, name))
        for each in public(tree):
            index[f"{module}.{each}"] = module
            if each in FAMILIES[name] or each.endswith("Config"):
                index[f"transformers.{each}"] = module
                index[f"transformers.models.{name}.{each}"] = module
                index[f"transformers.models.{name}.configuration_{name}.{each}"] = module
    licence = next(source.parent.glob("transformers-*.dist-info/**/LICENSE"))
    shutil.copyfile(licence, folder / "LICENSE.txt")
    return size


def by_hand(index: dict[str, str]) -> None:
    """The names of what is written by hand: the models of timm, and what transformers puts around its models."""
    for module in (FRAME, "timm.models", "timm.swin"):
        text = (TARGET / Path(*module.split("."))).with_suffix(".txt").read_text(encoding="utf-8")
        index |= {f"{module}.{each}": module for each in public(ast.parse(text))}


LIBRARIES = {"torchvision": torchvision, "transformers": transformers}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("libraries", nargs="*", help="which to write (default: all)")
    for name in LIBRARIES:
        parser.add_argument(f"--{name}", type=Path, help="the folder of the package (default: the installed one)")
    options = parser.parse_args()
    index = {f"torch.nn.{name}": "torch.nn.modules.transformer" for name in TRANSFORMER}
    by_hand(index)
    before = json.loads((TARGET / "index.json").read_text(encoding="utf-8"))
    for name, write in LIBRARIES.items():
        if options.libraries and name not in options.libraries:
            index |= {key: module for key, module in before.items() if module.startswith(name)}
            continue
        size = write(package(name, getattr(options, name)), index)
        print(f"{name}: {size} bytes of code")
    (TARGET / "index.json").write_text(json.dumps(index, indent=0, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{len(index)} names")


if __name__ == "__main__":
    main()
