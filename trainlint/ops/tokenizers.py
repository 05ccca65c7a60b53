"""Tokenizers of transformers: what calling one gives, where memory is counted.

The length of a sequence is known where texts are padded to `max_length`. Padding to the longest text of a batch has no
length that could be told from the program.
"""

from __future__ import annotations

from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, called, method
from trainlint.analysis.values import Const, Mapping, Number, Obj, Seq, Unknown, Value, is_none, truth
from trainlint.ops.zoo_tables import entry

# families whose tokenizers tell the two texts of a pair apart
PAIRED = ("Bert",)
# methods that take one text
SINGLE = ("encode", "encode_plus")
MOST = 8192


def tokenizer(call: OpCall) -> Value | None:
    """`AutoTokenizer.from_pretrained("bert-base-uncased")` and its kin; None for other classes."""
    cls, _, maker = call.name.rpartition(".")
    short = cls.rpartition(".")[2]
    if (
        call.run.program.tape is None
        or maker != "from_pretrained"
        or not short.endswith(("Tokenizer", "TokenizerFast"))
    ):
        return None
    result = Obj(cls, "tokenizer", call.node, call.args, call.kwargs, call.step(cls), call.scope.file.path)
    name = call.const(0, "pretrained_model_name_or_path")
    found = entry("transformers", name) if isinstance(name, str) else None
    family = found["type"] if found is not None else short.removesuffix("Fast").removesuffix("Tokenizer")
    result.attrs["[pairs]"] = Const(family in PAIRED)
    return result


@called("tokenizer")
@method("tokenizer", "__call__")
@method("tokenizer", "encode_plus")
@method("tokenizer", "batch_encode_plus")
@method("tokenizer", "encode")
def tokenised(call: OpCall) -> Value | None:
    """`tokenizer(texts, padding="max_length", max_length=128, return_tensors="pt")`: tensors or lists by name."""
    if not isinstance(call.receiver, Obj):
        return None
    texts = call.arg(0, "text")
    count = one_text(call, texts)
    length = padded(call)
    tensors = call.kwargs.get("return_tensors")
    if tensors is not None and not is_none(tensors):
        if not isinstance(tensors, Const) or tensors.value != "pt":
            return Unknown("tokens")
        first = Const(1) if count == 0 else Const(count) if count is not None else Unknown("texts")
        ids: Value = Array(shape=(first, length), dtype="int64", grad=False, origin=call.step("token ids"))
    else:
        # one number for all: nothing is known of any of them
        known = isinstance(length, Const) and isinstance(length.value, int) and 0 < length.value <= MOST
        token = Number("a token", dtype="int64")
        ids = Seq("list", [token] * length.value if isinstance(length, Const) and known else None, token)
        if count != 0:
            ids = Seq("list", [ids] * count if count is not None and count <= MOST else None, ids)
    if call.name == "encode":
        return ids
    names = ["input_ids", "attention_mask"]
    if truth(call.receiver.attrs["[pairs]"]):
        names.insert(1, "token_type_ids")
    for option in ("return_attention_mask", "return_token_type_ids"):
        asked, name = call.kwargs.get(option), option.removeprefix("return_")
        if asked is not None and truth(asked) is False and name in names:
            names.remove(name)
    return Mapping({name: ids.but() if isinstance(ids, Array) else ids for name in names})


def one_text(call: OpCall, texts: Value | None) -> int | None:
    """0 for a single text, else how many there are; None where that is not known.

    A data set asks for the tokens of one sample.
    """
    if call.name in SINGLE or (isinstance(texts, Const) and isinstance(texts.value, str)):
        return 0
    if isinstance(texts, Seq):
        return len(texts.items) if texts.items is not None else None
    if any(frame.function == "__getitem__" for frame in call.run.frames):
        return 0
    return None


def padded(call: OpCall) -> Value:
    """The length that all sequences have, where they are padded to one."""
    wanted, longest = call.kwargs.get("padding"), call.kwargs.get("max_length")
    whole = isinstance(wanted, Const) and wanted.value == "max_length"
    old = call.kwargs.get("pad_to_max_length")
    whole = whole or (old is not None and truth(old) is True)
    if whole and longest is not None and not is_none(longest):
        return longest
    return Unknown("the length of the longest text")
