"""An autoencoder whose weights are moved by hand, without an optimizer."""
import torch
import torch.nn as nn

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class AE(nn.Module):
    def __init__(self, **kwargs):
        super().__init__()
        self.encoder_hidden_layer = nn.Linear(in_features=kwargs["input_shape"], out_features=128)
        self.encoder_output_layer = nn.Linear(in_features=128, out_features=128)
        self.decoder_hidden_layer = nn.Linear(in_features=128, out_features=128)
        self.decoder_output_layer = nn.Linear(in_features=128, out_features=kwargs["input_shape"])

    def forward(self, features):
        activation = torch.relu(self.encoder_hidden_layer(features))
        code = torch.relu(self.encoder_output_layer(activation))
        activation = torch.relu(self.decoder_hidden_layer(code))
        return torch.relu(self.decoder_output_layer(activation))


model = AE(input_shape=784).to(device)
criterion = nn.MSELoss()
lr = 1e-2
images = torch.rand(640, 784)
for epoch in range(20):
    loss = 0
    for batch_features in images.split(64):
        batch_features = batch_features.view(-1, 784).to(device)
        model.zero_grad()
        outputs = model(batch_features)
        train_loss = criterion(outputs, batch_features)
        train_loss.backward()
        for p in model.parameters():
            p.data.add_(p.grad, alpha=-lr)
        loss += train_loss.item()
    print("epoch : {}/{}, loss = {:.6f}".format(epoch + 1, 20, loss / 10))
