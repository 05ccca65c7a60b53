"""Recurrent layers as cuDNN computes them, and cells as CUDA's fused kernels do.

The size of cuDNN's reserve space is not published: 6 floats for each step, sample, unit, layer and direction of an
LSTM and 5 of a GRU are a guess (four gates, the cell and its tanh; three gates and two products).
"""

from __future__ import annotations

from trainlint.memory.saved.site import Effect, Site, Tensor, rule

RESERVE = {"lstm": 6, "gru": 5, "rnn": 2}
# gates kept by a fused cell, in units of hidden state
WORKSPACE = {"lstm_cell": 4, "gru_cell": 5}


@rule("lstm", "gru", "rnn")
def recurrent(site: Site) -> Effect | None:
    hidden, layers = site.whole("hidden_size", 0), site.whole("num_layers", 1)
    if not hidden or len(site.x.shape) not in (2, 3):
        return None
    directions = 2 if site.options.on("bidirectional") else 1
    batch_first = site.options.on("batch_first") and len(site.x.shape) == 3
    batch = 1 if len(site.x.shape) == 2 else site.x.shape[0 if batch_first else 1]
    steps = site.x.count // max(1, batch * site.x.shape[-1])
    item = site.x.itemsize
    reserve = RESERVE[site.name] * steps * batch * hidden * layers * directions * item
    state = layers * directions * batch * hidden * item
    states = 2 if site.name == "lstm" else 1
    given = [operand for operand in site.operands[1 : 1 + states] if is_state(operand, site.x)]
    kept = ("input", "other", "third")[: 1 + len(given)]
    zeros = () if given else (state,) * states
    # cuDNN wants time first and makes a copy
    copies = (site.n,) if batch_first else ()
    backward = (*copies, site.out) if batch_first else ()
    # ATen/native/cudnn/RNN.cpp `_cudnn_rnn_backward`: zeros for the gradients that are not there
    fills = (site.out, *(state,) * states)
    extra = (reserve, *zeros)
    return Effect("new", (*kept, "output"), extra, copies, (*backward, *(state,) * states), fills=fills)


def is_state(operand: Tensor, x: Tensor) -> bool:
    """A hidden state has as many axes as the input; so has a weight of an input without batch, told by its rows."""
    return len(operand.shape) == len(x.shape) == 3


@rule("lstm_cell", "gru_cell", "rnn_cell")
def cell(site: Site) -> Effect | None:
    hidden = site.whole("hidden_size", 0) or (site.result.shape[-1] if site.result.shape else 0)
    state = site.x.count // max(1, site.x.shape[-1]) * hidden * site.x.itemsize
    # without a state zeros are made; parameters come after it
    given = len(site.operands) > 1 and site.operands[1].shape[:-1] == site.x.shape[:-1]
    zeros = 0 if given else 1
    kept: tuple[str, ...] = ("input", "other") if given else ("input",)
    if site.name == "rnn_cell":
        return Effect("new", (*kept, "output"), (state,) * zeros, (state,) * 2)
    gates = WORKSPACE[site.name] * state
    linear = (4 if site.name == "lstm_cell" else 3) * state
    if site.name == "lstm_cell":
        # the cell of before is kept, and that of after, which is the second result
        kept = ("input", "other", "third") if given else kept
        zeros *= 2
        return Effect("new", (*kept, "indices"), (gates, *(state,) * zeros), (linear,) * 2, (linear,))
    return Effect("new", kept, (gates, *(state,) * zeros), (linear,) * 2, (linear,) * 2)
