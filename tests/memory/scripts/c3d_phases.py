import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import Dataset, DataLoader

NUM_CLASSES = 101
CLIP = 8
SIZE = 32
BATCH_SIZE = 4


class Clips(Dataset):
    def __init__(self, count):
        self.count = count

    def __getitem__(self, index):
        buffer = torch.zeros((CLIP, SIZE, SIZE, 3))
        buffer = buffer.permute(3, 0, 1, 2).contiguous() / 255.0
        label = torch.tensor(index % NUM_CLASSES)
        return buffer, label

    def __len__(self):
        return self.count


class C3D(nn.Module):
    def __init__(self, num_classes, pretrained=False):
        super(C3D, self).__init__()
        self.conv1 = nn.Conv3d(3, 16, kernel_size=(3, 3, 3), padding=(1, 1, 1))
        self.pool1 = nn.MaxPool3d(kernel_size=(1, 2, 2), stride=(1, 2, 2))
        self.conv2 = nn.Conv3d(16, 32, kernel_size=(3, 3, 3), padding=(1, 1, 1))
        self.pool2 = nn.MaxPool3d(kernel_size=(2, 2, 2), stride=(2, 2, 2))
        self.conv3a = nn.Conv3d(32, 64, kernel_size=(3, 3, 3), padding=(1, 1, 1))
        self.conv3b = nn.Conv3d(64, 64, kernel_size=(3, 3, 3), padding=(1, 1, 1))
        self.pool3 = nn.MaxPool3d(kernel_size=(2, 2, 2), stride=(2, 2, 2))
        self.conv4a = nn.Conv3d(64, 128, kernel_size=(3, 3, 3), padding=(1, 1, 1))
        self.pool4 = nn.MaxPool3d(kernel_size=(2, 2, 2), stride=(2, 2, 2), padding=(0, 1, 1))
        self.fc6 = nn.Linear(1152, 64)
        self.fc7 = nn.Linear(64, num_classes)
        self.dropout = nn.Dropout(p=0.5)
        self.relu = nn.ReLU()
        self.__init_weight()

    def forward(self, x):
        x = self.relu(self.conv1(x))
        x = self.pool1(x)
        x = self.relu(self.conv2(x))
        x = self.pool2(x)
        x = self.relu(self.conv3a(x))
        x = self.relu(self.conv3b(x))
        x = self.pool3(x)
        x = self.relu(self.conv4a(x))
        x = self.pool4(x)
        x = x.view(x.size(0), -1)
        x = self.relu(self.fc6(x))
        x = self.dropout(x)
        return self.fc7(x)

    def __init_weight(self):
        for m in self.modules():
            if isinstance(m, nn.Conv3d):
                torch.nn.init.kaiming_normal_(m.weight)


def get_1x_lr_params(model):
    b = [model.conv1, model.conv2, model.conv3a, model.conv3b, model.conv4a, model.fc6]
    for i in range(len(b)):
        for k in b[i].parameters():
            if k.requires_grad:
                yield k


def get_10x_lr_params(model):
    b = [model.fc7]
    for j in range(len(b)):
        for k in b[j].parameters():
            if k.requires_grad:
                yield k


def train_model(num_epochs=5, lr=1e-3):
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    model = C3D(num_classes=NUM_CLASSES)
    train_params = [{"params": get_1x_lr_params(model), "lr": lr}, {"params": get_10x_lr_params(model), "lr": lr * 10}]
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(train_params, lr=lr, momentum=0.9, weight_decay=5e-4)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.1)
    model.to(device)
    criterion.to(device)
    loaders = {
        x: DataLoader(Clips(n // 100), batch_size=BATCH_SIZE, shuffle=x == "train", num_workers=0)
        for x, n in (("train", 3000), ("val", 500))
    }
    for epoch in range(num_epochs):
        for phase in ["train", "val"]:
            running_loss = 0.0
            if phase == "train":
                model.train()
            else:
                model.eval()
            for inputs, labels in loaders[phase]:
                inputs = inputs.to(device)
                labels = labels.to(device)
                optimizer.zero_grad()
                if phase == "train":
                    outputs = model(inputs)
                else:
                    with torch.no_grad():
                        outputs = model(inputs)
                probs = nn.Softmax(dim=1)(outputs)
                preds = torch.max(probs, 1)[1]
                loss = criterion(outputs, labels)
                if phase == "train":
                    loss.backward()
                    optimizer.step()
                running_loss += loss.item() * inputs.size(0)
            scheduler.step()


if __name__ == "__main__":
    train_model()
