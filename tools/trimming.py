"""Trims a module of a library to what decides the memory of a step: `Trim` for torchvision, and what others share."""

from __future__ import annotations

import ast
import re

# functions of the library whose only use is telemetry, registration or scripting
DROPPED_CALLS = frozenset({"_log_api_usage_once", "_assert", "warn", "wrap", "_disable_jit", "load_state_dict"})
DROPPED_DECORATORS = frozenset({"register_model", "handle_legacy_interface", "unused", "_overload_method", "wrap"})
DROPPED_MODULES = (
    *("typing", "collections.abc", "torch.jit.annotations", "torchvision.models._meta", "torchvision.models._api"),
    *("torchvision.transforms", "torchvision.utils"),
)
# calculations with tensors of numbers, which are not followed, and the same with numbers
REPLACED = {
    "block_widths = (torch.round(torch.divide(w_0 * torch.pow(w_m, block_capacity), QUANT)) * QUANT).int().tolist()": (
        "block_widths = [round(w_0 * w_m ** round(math.log((w_a * i + w_0) / w_0) / math.log(w_m)) / QUANT) * QUANT"
        " for i in range(depth)]"
    ),
    "stage_depths = torch.diff(torch.tensor([d for d, t in enumerate(splits) if t])).int().tolist()": (
        "starts = [d for d, t in enumerate(splits) if t]\n"
        "stage_depths = [after - before for before, after in zip(starts, starts[1:])]"
    ),
    "widths_cont = torch.arange(depth) * w_a + w_0": "",
    "block_capacity = torch.round(torch.log(widths_cont / w_0) / math.log(w_m))": "",
    "p_stochastic = np.linspace(0, stochastic_depth_prob, sum(block_layers)).tolist()": (
        "p_stochastic = [stochastic_depth_prob * i / (sum(block_layers) - 1) for i in range(sum(block_layers))]"
    ),
}
# weights that change what is built; all others have the classes and the image size that the model has anyway
WEIGHTED = re.compile(r"GoogLeNet|Inception|ViT|FCN|DeepLab|LRASPP")


class Trim(ast.NodeTransformer):
    """One module."""

    def __init__(self, module: str) -> None:
        self.package = module.split(".")[:-1]

    # statements

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        if node.level:
            base = self.package[: len(self.package) - node.level + 1]
            node.module = ".".join([*base, *([node.module] if node.module else [])])
            node.level = 0
        names = [a for a in node.names if a.name not in ("Weights", "WeightsEnum") and not a.name.endswith("_Weights")]
        hidden = node.module in (
            "typing",
            "torchvision.models._meta",
            "torchvision.models._api",
            "torch.jit.annotations",
        )
        hidden = hidden or str(node.module).startswith(
            ("torchvision.transforms", "torchvision.utils", "collections.abc")
        )
        node.names = names
        return None if hidden or not names else node

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        node.names = [a for a in node.names if a.name not in ("warnings", "inspect")]
        return node if node.names else None

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST | None:
        if any(isinstance(base, ast.Name) and base.id == "WeightsEnum" for base in node.bases):
            return None
        self.generic_visit(node)
        node.body = body(node.body)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST | None:
        if any(named(d) == "_overload_method" for d in node.decorator_list):
            return None
        legacy = any(named(d) == "handle_legacy_interface" for d in node.decorator_list)
        node.decorator_list = [d for d in node.decorator_list if named(d) not in DROPPED_DECORATORS]
        node.returns = None
        for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg):
            if arg is not None:
                arg.annotation = None
        for n, default in enumerate(node.args.kw_defaults):
            if default is not None and "_Weights." in ast.unparse(default):
                node.args.kw_defaults[n] = ast.Constant(None)
        self.generic_visit(node)
        if legacy:
            # the first parameter was `pretrained` once, and still may be given so
            node.args.args.insert(0, ast.arg("pretrained"))
            node.args.defaults.append(ast.Constant(None))
            node.args.defaults = node.args.defaults[-len(node.args.args) :]
        node.body = body(node.body)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None:
            node.annotation = ast.Name("object")
            return node
        self.generic_visit(node)
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST | list[ast.stmt] | None:
        other = REPLACED.get(ast.unparse(node))
        if other is not None:
            return ast.parse(other).body
        target, text = ast.unparse(node.targets[0]), ast.unparse(node.value)
        if target in ("__all__", "T", "D", "V", "M", "__constants__", "_version") or target.startswith("_COMMON_"):
            return None
        if target.endswith("__annotations__") or text.startswith("TypeVar("):
            return None
        verified = re.fullmatch(r"(\w+)\.verify\(weights\)", text)
        if verified and not WEIGHTED.search(verified[1]):
            node.value = ast.Constant(None)
        elif verified:
            call = f"torchvision.models._api.verify({verified[1]!r}, weights, pretrained)"
            node.value = ast.parse(call, mode="eval").body
        elif re.fullmatch(r"\w+\.verify\(weights_backbone\)", text):
            node.value = ast.Constant(None)
        self.generic_visit(node)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        value = node.value
        if isinstance(value, ast.Constant) or (isinstance(value, ast.Call) and named(value) in DROPPED_CALLS):
            return None
        if isinstance(value, ast.Call) and ast.unparse(value.func).startswith(("nn.init.", "torch.nn.init.", "init.")):
            return None
        self.generic_visit(node)
        return node

    def visit_Assert(self, node: ast.Assert) -> None:
        return None

    def visit_For(self, node: ast.For) -> ast.AST | None:
        self.generic_visit(node)
        return node if node.body else None

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt] | None:
        self.generic_visit(node)
        decided = scripting(node.test)
        if decided is not None:
            return node.body if decided else node.orelse
        if not node.body and not node.orelse:
            return None
        node.body = node.body or [ast.Pass()]
        return node

    # expressions

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        node.values = [v for v in node.values if scripting(v) is not isinstance(node.op, ast.And)]
        return node.values[0] if len(node.values) == 1 else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if named(node) == "cast" and isinstance(node.func, ast.Name):
            return node.args[1]
        if ast.unparse(node) == "len(weights.meta['categories'])":
            return ast.parse("weights.meta['categories']", mode="eval").body
        return node


def named(node: ast.expr) -> str:
    """The last name of a call or a decorator."""
    inner = node.func if isinstance(node, ast.Call) else node
    return inner.attr if isinstance(inner, ast.Attribute) else inner.id if isinstance(inner, ast.Name) else ""


def scripting(test: ast.expr) -> bool | None:
    """Is the test about TorchScript, and what does it say in eager mode?"""
    text = ast.unparse(test)
    if text in ("torch.jit.is_scripting()", "torch.jit.is_tracing()"):
        return False
    return True if text == "not torch.jit.is_scripting()" else None


def body(statements: list[ast.stmt]) -> list[ast.stmt]:
    return statements or [ast.Pass()]


def pruned(tree: ast.Module) -> ast.Module:
    """Without the imports that nothing uses any more, and with those that the trimming asks for."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    kept: list[ast.stmt] = [ast.Import([ast.alias("torchvision.models._api")])] if "torchvision" in used else []
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            node.names = [a for a in node.names if (a.asname or a.name).partition(".")[0] in used]
            if not node.names:
                continue
        kept.append(node)
    tree.body = kept
    return tree
