"""trainlint reads PyTorch training code before the GPU is booked."""

__version__ = "0.1.0"
