"""Which files are worth parsing: only those that import something of the PyTorch world, judged on the bytes."""

from __future__ import annotations

import re

# libraries whose calls the rules or the op tables know, and frameworks that drive a training loop
_NAMES = (
    b"torch|torchvision|torchaudio|torchtext|torchdata|torchmetrics|torch_xla|torch_geometric|lightning|lightning_fabric"
    b"|pytorch_lightning|accelerate|transformers|timm|diffusers|peft|trl|datasets|deepspeed|fairscale|apex|horovod|fastai"
    b"|ignite|keras|kornia|albumentations|cv2|PIL|imageio|skimage|segmentation_models_pytorch|monai|open_clip|clip"
    b"|sentence_transformers|bitsandbytes|webdataset|ray|composer|catalyst|fvcore|detectron2|mmcv|mmengine|ultralytics"
)
_PYTHON = re.compile(
    rb"(?:^|[\r;:])[ \t\f]*(?:from[ \t]+(?:%b)\b|import[ \t][^\r\n#]*?\b(?:%b)\b)" % (_NAMES, _NAMES), re.MULTILINE
)
_NOTEBOOK = re.compile(rb"\b(?:from[ \t]+(?:%b)\b|import[ \t][^\"\\\r\n#]*?\b(?:%b)\b)" % (_NAMES, _NAMES))


def may_concern(raw: bytes, *, notebook: bool = False) -> bool:
    """False where the file imports none of the libraries that trainlint knows: it can have no findings."""
    return (_NOTEBOOK if notebook else _PYTHON).search(raw) is not None
