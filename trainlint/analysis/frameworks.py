"""Training frameworks: which ones a file uses, and what they do behind the script's back."""

from __future__ import annotations

from trainlint.syntax import ir

# import → framework. The frameworks clear, step, scale or schedule on their own; hand-loop rules look here first.
_IMPORTS = {
    "pytorch_lightning": "lightning",
    "lightning": "lightning",
    "accelerate": "accelerate",
    "deepspeed": "deepspeed",
    "fastai": "fastai",
    "ignite": "ignite",
    "keras": "keras",
    "tensorflow": "keras",
    "skorch": "skorch",
    "catalyst": "catalyst",
    "mmcv": "mmcv",
    "mmengine": "mmengine",
    "composer": "composer",
    "colossalai": "colossalai",
    "apex": "apex",
    "ray": "ray",
    "opacus": "opacus",
    "higher": "higher",
}
# classes whose methods are hooks: the framework runs the loop around them
HOOK_BASES = frozenset(
    {
        "lightning.LightningModule",
        "lightning.pytorch.LightningModule",
        "transformers.Trainer",
        "keras.Model",
        "fastai.Learner",
        "mmengine.BaseModel",
    }
)


def frameworks_of(module: ir.Module) -> frozenset[str]:
    """The frameworks that a module imports at its top level, in functions or under conditions one level deep."""
    found: set[str] = set()
    stack: list[list[ir.Stmt]] = [module.body]
    while stack:
        for stmt in stack.pop():
            if isinstance(stmt, ir.Import):
                for dotted, _ in stmt.names:
                    _add(found, dotted)
            elif isinstance(stmt, ir.ImportFrom) and stmt.level == 0:
                _add(found, stmt.module)
                if stmt.module == "transformers" and stmt.names is not None:
                    if any("Trainer" in name for name, _ in stmt.names):
                        found.add("transformers")
            else:
                for block in ("body", "orelse", "final"):
                    inner = getattr(stmt, block, None)
                    if isinstance(inner, list):
                        stack.append(inner)
    return frozenset(found)


def _add(found: set[str], dotted: str) -> None:
    framework = _IMPORTS.get(dotted.partition(".")[0])
    if framework is not None:
        found.add(framework)
