"""A detector on a grid of cells: layers from a table of tuples, letters and lists, images cut with NumPy."""
import random

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import Dataset, DataLoader

torch.manual_seed(123)
LEARNING_RATE = 2e-5
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
BATCH_SIZE = 8
IMG = 32

S, B, C = 1, 2, 20

architecture_config = [
    (7, 32, 2, 3), "M", (3, 64, 1, 1), "M",
    (1, 64, 1, 0), (3, 128, 1, 1), "M",
    [(1, 64, 1, 0), (3, 128, 1, 1), 2],
    (1, 128, 1, 0), (3, 256, 1, 1), "M", (3, 256, 1, 1), (3, 256, 1, 1),
]


class CNNBlock(nn.Module):
    def __init__(self, in_channels, out_channels, **kwargs):
        super(CNNBlock, self).__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.batchnorm = nn.BatchNorm2d(out_channels)
        self.leakyrelu = nn.LeakyReLU(0.1)

    def forward(self, x):
        return self.leakyrelu(self.batchnorm(self.conv(x)))


class Yolov1(nn.Module):
    def __init__(self, in_channels=3, **kwargs):
        super(Yolov1, self).__init__()
        self.architecture = architecture_config
        self.in_channels = in_channels
        self.darknet = self._create_conv_layers(self.architecture)
        self.fcs = self._create_fcs(**kwargs)

    def forward(self, x):
        x = self.darknet(x)
        return self.fcs(torch.flatten(x, start_dim=1))

    def _create_conv_layers(self, architecture):
        layers = []
        in_channels = self.in_channels
        for x in architecture:
            if type(x) == tuple:
                layers += [CNNBlock(in_channels, x[1], kernel_size=x[0], stride=x[2], padding=x[3])]
                in_channels = x[1]
            elif type(x) == str:
                layers += [nn.MaxPool2d(kernel_size=(2, 2), stride=(2, 2))]
            elif type(x) == list:
                conv1, conv2, num_repeats = x
                for _ in range(num_repeats):
                    layers += [CNNBlock(in_channels, conv1[1], kernel_size=conv1[0], stride=conv1[2], padding=conv1[3])]
                    layers += [CNNBlock(conv1[1], conv2[1], kernel_size=conv2[0], stride=conv2[2], padding=conv2[3])]
                    in_channels = conv2[1]
        return nn.Sequential(*layers)

    def _create_fcs(self, split_size, num_boxes, num_classes):
        S, B, C = split_size, num_boxes, num_classes
        return nn.Sequential(nn.Flatten(), nn.Linear(256 * S * S, 96), nn.Dropout(0.0), nn.LeakyReLU(0.1), nn.Linear(96, S * S * (C + B * 5)))


def intersection_over_union(boxes_preds, boxes_labels):
    b1_x1 = boxes_preds[..., 0:1] - boxes_preds[..., 2:3] / 2
    b1_y1 = boxes_preds[..., 1:2] - boxes_preds[..., 3:4] / 2
    b1_x2 = boxes_preds[..., 0:1] + boxes_preds[..., 2:3] / 2
    b1_y2 = boxes_preds[..., 1:2] + boxes_preds[..., 3:4] / 2
    b2_x1 = boxes_labels[..., 0:1] - boxes_labels[..., 2:3] / 2
    b2_y1 = boxes_labels[..., 1:2] - boxes_labels[..., 3:4] / 2
    b2_x2 = boxes_labels[..., 0:1] + boxes_labels[..., 2:3] / 2
    b2_y2 = boxes_labels[..., 1:2] + boxes_labels[..., 3:4] / 2
    x1, y1 = torch.max(b1_x1, b2_x1), torch.max(b1_y1, b2_y1)
    x2, y2 = torch.min(b1_x2, b2_x2), torch.min(b1_y2, b2_y2)
    inter = (x2 - x1).clamp(0) * (y2 - y1).clamp(0)
    a1 = abs((b1_x2 - b1_x1) * (b1_y2 - b1_y1))
    a2 = abs((b2_x2 - b2_x1) * (b2_y2 - b2_y1))
    return inter / (a1 + a2 - inter + 1e-6)


class YoloLoss(nn.Module):
    def __init__(self):
        super(YoloLoss, self).__init__()
        self.mse = nn.MSELoss(reduction="sum")
        self.lambda_noobj, self.lambda_coord = 0.5, 5

    def forward(self, predictions, target):
        predictions = predictions.reshape(-1, S, S, C + B * 5)
        iou_b1 = intersection_over_union(predictions[..., 21:25], target[..., 21:25])
        iou_b2 = intersection_over_union(predictions[..., 26:30], target[..., 21:25])
        ious = torch.cat([iou_b1.unsqueeze(0), iou_b2.unsqueeze(0)], dim=0)
        iou_maxes, bestbox = torch.max(ious, dim=0)
        exists_box = target[..., 20].unsqueeze(3)
        box_predictions = exists_box * (bestbox * predictions[..., 26:30] + (1 - bestbox) * predictions[..., 21:25])
        box_targets = exists_box * target[..., 21:25]
        box_predictions[..., 2:4] = torch.sign(box_predictions[..., 2:4]) * torch.sqrt(torch.abs(box_predictions[..., 2:4] + 1e-6))
        box_targets[..., 2:4] = torch.sqrt(box_targets[..., 2:4])
        box_loss = self.mse(torch.flatten(box_predictions, end_dim=-2), torch.flatten(box_targets, end_dim=-2))
        pred_box = bestbox * predictions[..., 25:26] + (1 - bestbox) * predictions[..., 20:21]
        object_loss = self.mse(torch.flatten(exists_box * pred_box), torch.flatten(exists_box * target[..., 20:21]))
        no_object_loss = self.mse(torch.flatten((1 - exists_box) * predictions[..., 20:21], start_dim=1),
                                  torch.flatten((1 - exists_box) * target[..., 20:21], start_dim=1))
        return self.lambda_coord * box_loss + object_loss + self.lambda_noobj * no_object_loss


class Grid(Dataset):
    def __len__(self):
        return 80

    def __getitem__(self, i):
        t = torch.zeros(S, S, C + 5)
        for _ in range(3):
            r, c = random.randrange(S), random.randrange(S)
            t[r, c, 20] = 1
            t[r, c, 21:25] = torch.rand(4)
            t[r, c, int(torch.randint(0, C, (1,)))] = 1
        pixels = np.random.randint(0, 255, (IMG + 16, IMG + 32, 3)).astype("uint8")
        x, y = np.random.randint(0, 32), np.random.randint(0, 16)
        image = pixels[y : y + IMG, x : x + IMG].astype(np.float32) / 255
        return torch.from_numpy(image).permute(2, 0, 1), t


def train_fn(train_loader, model, optimizer, loss_fn):
    mean_loss = []
    for batch_idx, (x, y) in enumerate(train_loader):
        x, y = x.to(DEVICE), y.to(DEVICE)
        out = model(x)
        loss = loss_fn(out, y)
        mean_loss.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"Mean loss was {sum(mean_loss)/len(mean_loss)}")


def main():
    model = Yolov1(split_size=S, num_boxes=B, num_classes=C).to(DEVICE)
    optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE, weight_decay=0)
    loss_fn = YoloLoss()
    train_loader = DataLoader(dataset=Grid(), batch_size=BATCH_SIZE, num_workers=2, pin_memory=True, shuffle=True, drop_last=True)
    for epoch in range(100):
        train_fn(train_loader, model, optimizer, loss_fn)


if __name__ == "__main__":
    main()
