"""scikit-learn, as far as it prepares data: its data sets, splits and scalers (the signatures of scikit-learn 1.7)."""

from __future__ import annotations

import math

from trainlint.analysis import dims
from trainlint.analysis.arrays import Array
from trainlint.analysis.registry import OpCall, kind, method, op
from trainlint.analysis.values import Const, Mapping, Obj, Seq, Unknown, Value, is_none, known, number
from trainlint.ops.layout import integer
from trainlint.ops.numpy_functions import array_of, as_float

# rows, columns and the type of the target of the data sets that come with it
DATA = {
    "load_iris": (150, 4, "int64"), "load_wine": (178, 13, "int64"), "load_digits": (1797, 64, "int64"),
    "load_breast_cancer": (569, 30, "int64"), "load_diabetes": (442, 10, "float64"),
    "fetch_california_housing": (20640, 8, "float64"), "fetch_covtype": (581012, 54, "int32"),
}  # fmt: skip
# made data: the number of columns by default, and the type of the target
MADE = {
    "make_classification": (20, "int64"), "make_regression": (100, "float64"), "make_moons": (2, "int64"),
    "make_circles": (2, "int64"), "make_blobs": (2, "int64"), "make_friedman1": (10, "float64"),
    "make_gaussian_quantiles": (2, "int64"), "make_swiss_roll": (3, "float64"), "make_s_curve": (3, "float64"),
}  # fmt: skip
SCALERS = "StandardScaler MinMaxScaler RobustScaler MaxAbsScaler Normalizer QuantileTransformer PowerTransformer"

kind("sklearn_scaler", *(f"sklearn.preprocessing.{name}" for name in SCALERS.split()))
kind("sklearn_labels", "sklearn.preprocessing.LabelEncoder", "sklearn.preprocessing.OrdinalEncoder")
kind("sklearn_parts", "sklearn.decomposition.PCA", "sklearn.decomposition.TruncatedSVD")


def array(shape: tuple[Value, ...] | None, dtype: str | None) -> Array:
    return Array(lib="numpy", grad=False, shape=shape, dtype=dtype)


@op(*(f"sklearn.datasets.{name}" for name in DATA))
def loaded(call: OpCall) -> Value | None:
    """`(data, target)` with `return_X_y`, else both by name."""
    rows, columns, dtype = DATA[call.name.rpartition(".")[2]]
    if known(call.kwargs.get("as_frame")) is True:
        return None
    data, target = array((Const(rows), Const(columns)), "float64"), array((Const(rows),), dtype)
    if known(call.kwargs.get("return_X_y")) is True:
        return Seq("tuple", [data, target])
    return Mapping({"data": data, "target": target}, True)


@op(*(f"sklearn.datasets.{name}" for name in MADE))
def generated(call: OpCall) -> Value | None:
    name = call.name.rpartition(".")[2]
    columns, dtype = MADE[name]
    rows = call.arg(0, "n_samples") or Const(100)
    wide = name in ("make_classification", "make_regression", "make_blobs", "make_friedman1")
    width = (call.arg(1, "n_features") if wide else call.kwargs.get("n_features")) or Const(columns)
    if isinstance(rows, Seq):
        return None
    targets = call.arg(3, "n_targets") if name == "make_regression" else None
    several = targets is not None and integer(targets) != 1
    answer = (rows, targets) if several and targets is not None else (rows,)
    return Seq("tuple", [array((rows, width), "float64"), array(answer, dtype)])


@op("sklearn.model_selection.train_test_split")
def split(call: OpCall) -> Value | None:
    """Two parts of each; the test part is rounded up, the training part down (`_validate_shuffle_split`)."""
    parts: list[Value] = []
    for given in call.args:
        length = given.shape[0] if isinstance(given, Array) and given.shape else None
        length = given.count if isinstance(given, Seq) else length
        train, test = divided(length, call.kwargs.get("test_size"), call.kwargs.get("train_size"))
        for count in (train, test):
            parts.append(portion(given, count))
    return Seq("list", parts) if parts and "*" not in call.kwargs else None


def divided(length: Value | None, test: Value | None, train: Value | None) -> tuple[Value, Value]:
    """The sizes of the training and the test part."""
    whole = number(length)
    asked = [None if share is None or is_none(share) else share for share in (test, train)]
    if not isinstance(whole, int):
        if asked[1] is None and isinstance(number(asked[0]), int) and length is not None:
            return dims.sub(length, asked[0]), asked[0] or Unknown()
        return Unknown("train"), Unknown("test")
    if asked == [None, None]:
        asked[0] = Const(0.25)
    shares = [number(share) if share is not None else None for share in asked]
    if any(share is not None and value is None for share, value in zip(asked, shares, strict=True)):
        return Unknown("train"), Unknown("test")
    counts = [
        None if s is None else s if isinstance(s, int) else (math.ceil(s * whole) if n == 0 else math.floor(s * whole))
        for n, s in enumerate(shares)
    ]
    tested = counts[0] if counts[0] is not None else whole - (counts[1] or 0)
    trained = counts[1] if counts[1] is not None else whole - tested
    return Const(int(trained)), Const(int(tested))


def portion(given: Value, count: Value) -> Value:
    """Some of the rows of an array or list."""
    if isinstance(given, Array):
        shape = (count, *given.shape[1:]) if given.shape else None
        return given.but(shape=shape)
    if isinstance(given, Seq):
        from trainlint.analysis.joins import element

        return Seq("list", None, element(given), given.origin, count if isinstance(count, Const) else None)
    return Unknown()


@method("sklearn_scaler", "fit", "partial_fit")
@method("sklearn_labels", "fit")
@method("sklearn_parts", "fit")
def fitted(call: OpCall) -> Value | None:
    return call.receiver


@method("sklearn_scaler", "fit_transform", "transform", "inverse_transform")
def scaled(call: OpCall) -> Value | None:
    """The same shape; what is no float becomes a double."""
    given = array_of(call, call.args[0] if call.args else None)
    return array(given.shape, as_float(given.dtype)) if given is not None else None


@method("sklearn_labels", "fit_transform", "transform")
def encoded(call: OpCall) -> Value | None:
    """Class numbers, or doubles for the columns of a table."""
    given = array_of(call, call.args[0] if call.args else None)
    dtype = "int64" if isinstance(call.receiver, Obj) and call.receiver.name.endswith("LabelEncoder") else "float64"
    return array(given.shape, dtype) if given is not None else None


@method("sklearn_parts", "fit_transform", "transform")
def projected(call: OpCall) -> Value | None:
    """As many columns as parts."""
    given = array_of(call, call.args[0] if call.args else None)
    parts = call.receiver.arg(0, "n_components") if isinstance(call.receiver, Obj) else None
    if given is None or given.shape is None or not isinstance(number(parts), int) or parts is None:
        return None
    return array((given.shape[0], parts), as_float(given.dtype))
