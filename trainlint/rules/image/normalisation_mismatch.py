"""The mean and standard deviation of a normalisation do not belong to the image.

## What it does
Reports a normalisation with another number of means than the image has channels, a second one after a first, statistics
of 0–255 for pixels of 0–1, ImageNet's numbers in the order BGR for an RGB image, and mean and standard deviation
exchanged.

## Why it matters
A wrong count raises; everything else trains, on inputs that are shifted or flattened, and pretrained features suffer.

## Example
```py
from torchvision import datasets, transforms

transform = transforms.Compose(
    [
        transforms.ToTensor(),
        transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),  # error: [normalisation-mismatch]
    ]
)
data = datasets.MNIST("data", transform=transform)
image, label = data[0]
```
Use instead: one mean and one standard deviation for each channel, `Normalize((0.5,), (0.5,))` for grey images.

## When it stays silent
Numbers, channels and ranges that are not proved; one number for all channels; a normalisation that undoes another one.
"""

from trainlint.rules.api import (
    Because,
    Normalisation,
    at,
    finding,
    line_of,
    path_of,
    rule,
)

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@rule("normalisation-mismatch", code="IM010", family="image", level="warning", since="0.1")
def check(fact: Normalisation):
    found = problem(fact)
    if found is None:
        return
    text, raises = found
    steps = path_of(fact.value)
    used = () if fact.place.node is fact.node else (Because(at(fact.file, fact.node), "it is applied here"),)
    yield finding(fact, text, because=(*steps, *used), level="error" if raises else None, likely=fact.value.likely)


def problem(fact: Normalisation) -> tuple[str, bool] | None:
    """What is wrong, and whether it raises."""
    value, mean, std = fact.value, fact.mean, fact.std
    if mean is None or std is None:
        return None
    counts = {len(mean), len(std)} - {1}
    if len(counts) > 1:
        return f"the mean has {len(mean)} numbers, the standard deviation {len(std)}", True
    if 0.0 in std:
        return "a standard deviation of 0 is divided by", True
    known = value.layout in ("CHW", "NCHW") and value.channels is not None
    if known and counts and value.channels not in counts:
        count, channels = counts.pop(), value.channels
        return f"the mean has {count} numbers, the image {channels} channel" + ("s" if channels != 1 else ""), True
    if close(mean, STD) and close(std, MEAN):
        return "mean and standard deviation are exchanged: 0.229, 0.224, 0.225 is the deviation of ImageNet", False
    if value.range == "norm" and value.stats is not None and forward(mean, std) and forward(*value.stats):
        return "the image is normalised already" + since(fact), False
    if value.range == "unit" and any(m > 2 for m in mean):
        return f"a mean of {max(mean):.4g} is one of 0–255, the pixels are 0–1" + since(fact), False
    if close(mean, MEAN[::-1]) and value.colour == "RGB":
        return "the means of ImageNet in the order blue, green, red, the image is RGB", False
    return None


def close(numbers: tuple[float, ...], others: tuple[float, ...]) -> bool:
    return len(numbers) == len(others) and all(abs(a - b) < 0.006 for a, b in zip(numbers, others, strict=True))


def forward(mean: tuple[float, ...], std: tuple[float, ...]) -> bool:
    """Not one that undoes another: those have means below 0 or deviations above 1."""
    return all(m >= 0 for m in mean) and all(s <= 1 for s in std) and (any(mean) or any(s != 1 for s in std))


def since(fact: Normalisation) -> str:
    step = next((s for s in fact.value.origin or () if "range" in s.sets.split()), None)
    return f", since line {line_of(step.place)} ({step.text})" if step is not None else ""
