"""CIFAR-10 as PNG files: one folder per class below `root/train` and `root/test`."""

from pathlib import Path

import cv2
from torch.utils.data import Dataset


class CifarFolder(Dataset):
    def __init__(self, root, split, transform=None):
        self.files = sorted(Path(root, split).glob("*/*.png"))
        self.classes = sorted({path.parent.name for path in self.files})
        self.transform = transform

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        path = self.files[index]
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        if self.transform is not None:
            image = self.transform(image)
        return image, self.classes.index(path.parent.name)
