"""Which files are worth parsing: only those that import something of the PyTorch world, judged on the bytes."""

from __future__ import annotations

# libraries whose calls the rules or the op tables know, and frameworks that drive a training loop
_NAMES = (
    b"torch torchvision torchaudio torchtext torchdata torchmetrics torch_xla torch_geometric lightning"
    b" lightning_fabric pytorch_lightning accelerate transformers timm diffusers peft trl datasets deepspeed"
    b" fairscale apex horovod fastai ignite keras kornia albumentations cv2 PIL imageio skimage"
    b" segmentation_models_pytorch monai open_clip clip sentence_transformers bitsandbytes webdataset ray"
    b" composer catalyst fvcore detectron2 mmcv mmengine ultralytics"
).split()


def may_concern(raw: bytes, *, notebook: bool = False) -> bool:
    """False where the file imports none of the libraries that trainlint knows: it can have no findings."""
    present = [name for name in _NAMES if name in raw]
    if not present:  # most files; and no regular expression to compile for them
        return False
    import re

    names = b"|".join(present)
    if notebook:
        pattern = rb"(?:\b|\\[nrt])(?:from[ \t]+(?:%b)\b|import[ \t][^\"\\\r\n#]*?\b(?:%b)\b)"
    else:
        pattern = rb"(?:^|\A\xef\xbb\xbf|[\r;:])[ \t\f]*(?:from[ \t]+(?:%b)\b|import[ \t][^\r\n#]*?\b(?:%b)\b)"
    return re.search(pattern % (names, names), raw, re.MULTILINE) is not None
