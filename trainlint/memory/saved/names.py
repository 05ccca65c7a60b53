"""The one name under which an operation is known, whichever way it is spelled."""

from __future__ import annotations

import re

OPERATORS = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    "//": "floor_divide",
    "%": "remainder",
    "**": "pow",
    "@": "matmul",
    "neg": "neg",
    "~": "compare",
    "[]": "getitem",
    "[]=": "setitem",
    "pos": "positive",
    "abs": "abs",
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!=", "&", "|", "^", "<<", ">>", "not", "invert"), "compare"),
}

# layers and functions that are another one under a different name
ALIASES = {
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "true_divide": "div",
    "negative": "neg",
    "arctan2": "atan2",
    "absolute": "abs",
    "clip": "clamp",
    "fix": "trunc",
    "expit": "sigmoid",
    "arccos": "acos",
    "arcsin": "asin",
    "arctan": "atan",
    "log_sigmoid": "logsigmoid",
    "data": "detach",
    "softmax2d": "softmax",
    "concat": "cat",
    "concatenate": "cat",
    "hstack": "cat",
    "vstack": "cat",
    "row_stack": "cat",
    **dict.fromkeys(("swapaxes", "swapdims", "t", "T", "mT", "H", "adjoint"), "transpose"),
    **dict.fromkeys(("moveaxis", "movedim"), "permute"),
    **dict.fromkeys(("upsample", "upsample_nearest", "upsample_bilinear"), "interpolate"),
    "scaled_dot_product_attention": "sdpa",
    "vector_norm": "norm",
    **dict.fromkeys(("float", "double", "half", "bfloat16", "long", "int", "short", "byte", "bool", "char"), "to"),
    **dict.fromkeys(("type", "type_as", "cpu", "cuda"), "to"),
}

# classes whose function is not their name in small letters with underscores
CLASSES = {
    "ReLU": "relu",
    "ReLU6": "relu6",
    "ELU": "elu",
    "SELU": "selu",
    "CELU": "celu",
    "GELU": "gelu",
    "GLU": "glu",
    "SiLU": "silu",
    "PReLU": "prelu",
    "RReLU": "rrelu",
    "LeakyReLU": "leaky_relu",
    "LogSigmoid": "logsigmoid",
    "LogSoftmax": "log_softmax",
    "CrossEntropyLoss": "cross_entropy",
    "RMSNorm": "rms_norm",
    "LPPool1d": "lp_pool1d",
    "LPPool2d": "lp_pool2d",
    "CosineSimilarity": "cosine_similarity",
    "MultiheadAttention": "multihead_attention",
    "EmbeddingBag": "embedding_bag",
    "NLLLoss": "nll_loss",
    "MSELoss": "mse_loss",
    "L1Loss": "l1_loss",
    "SmoothL1Loss": "smooth_l1_loss",
    "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "KLDivLoss": "kl_div",
    "CTCLoss": "ctc_loss",
    "PoissonNLLLoss": "poisson_nll_loss",
    "GaussianNLLLoss": "gaussian_nll_loss",
    "NLLLoss2d": "nll_loss",
    "MultiLabelMarginLoss": "multilabel_margin_loss",
    "MultiLabelSoftMarginLoss": "multilabel_soft_margin_loss",
    "LSTM": "lstm",
    "GRU": "gru",
    "RNN": "rnn",
    "LSTMCell": "lstm_cell",
    "GRUCell": "gru_cell",
    "RNNCell": "rnn_cell",
    "Dropout": "dropout",
    "Unfold": "im2col",
    "Fold": "col2im",
    "UpsamplingNearest2d": "interpolate",
    "UpsamplingBilinear2d": "interpolate",
    "Identity": "identity",
}
# a function of the module `torch.nn.functional` that has the name of another operation on tensors
FUNCTIONAL = {"unfold": "im2col", "fold": "col2im"}

WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
DIMENSION = re.compile(r"^(conv|conv_transpose|batch_norm|instance_norm)[123]d$")
PADDING = re.compile(r"^(constant|zero|reflection|replication|circular)_pad[123]d$")


def normal(op: str) -> tuple[str, bool, bool, bool]:
    """The short name of an operation; is it a layer, does its name say in-place, is it a method of a tensor?"""
    module, _, last = op.rpartition(".")
    if module == "operator":
        inplace = last.endswith("=") and last not in ("<=", ">=", "==", "!=", "[]=")
        return OPERATORS.get(last.removesuffix("=") if inplace else last, last), False, inplace, False
    method = module.endswith("Tensor")
    layer = module.startswith("torch.nn") and last[:1].isupper()
    if layer:
        return small(last), True, False, False
    if method and last.startswith("__") and last.endswith("__"):
        last = last.strip("_")
    inplace = last.endswith("_")
    last = last.rstrip("_") if inplace else last
    if module.endswith("functional"):
        last = FUNCTIONAL.get(last, last)
    last = ALIASES.get(last, last)
    found = DIMENSION.match(last)
    return found[1] if found else last, False, inplace, method


def small(name: str) -> str:
    """The function of a layer: "ConvTranspose2d" is conv_transpose, "CrossEntropyLoss" cross_entropy."""
    name = name.removeprefix("Lazy")
    if name in CLASSES:
        return CLASSES[name]
    parts = "_".join(WORD.split(name)).lower()
    found = DIMENSION.match(parts)
    if found:
        return found[1]
    padding = PADDING.match(parts)
    if padding:
        return "pad_with_input" if padding[1] in ("reflection", "replication") else "pad"
    return ALIASES.get(parts, parts)
