"""The models of transformers for `trainlint/ops/library`, trimmed to what decides the memory of a step.

One file a family: its configuration and its models. What the library puts around every model (loading, masks, caches,
checkpointing, losses) stands in `trainlint/ops/library/transformers/frame.txt`, which is written by hand after
transformers 5.24.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from trimming import Trim, body, named, pruned

# family → the classes that are asked for by name; what they are made of comes with them
FAMILIES: dict[str, tuple[str, ...]] = {
    "bert": (
        *("BertModel", "BertForMaskedLM", "BertLMHeadModel", "BertForPreTraining", "BertForSequenceClassification"),
        *("BertForTokenClassification", "BertForQuestionAnswering", "BertForMultipleChoice"),
    ),
    "roberta": (
        *("RobertaModel", "RobertaForMaskedLM", "RobertaForSequenceClassification", "RobertaForTokenClassification"),
        *("RobertaForQuestionAnswering", "RobertaForMultipleChoice"),
    ),
    "xlm_roberta": (
        *("XLMRobertaModel", "XLMRobertaForMaskedLM", "XLMRobertaForSequenceClassification"),
        *("XLMRobertaForTokenClassification", "XLMRobertaForQuestionAnswering"),
    ),
    "distilbert": (
        *("DistilBertModel", "DistilBertForMaskedLM", "DistilBertForSequenceClassification"),
        *("DistilBertForTokenClassification", "DistilBertForQuestionAnswering"),
    ),
    "gpt2": ("GPT2Model", "GPT2LMHeadModel", "GPT2ForSequenceClassification", "GPT2ForTokenClassification"),
    "opt": ("OPTModel", "OPTForCausalLM"),
    "llama": ("LlamaModel", "LlamaForCausalLM", "LlamaForSequenceClassification"),
    "mistral": ("MistralModel", "MistralForCausalLM", "MistralForSequenceClassification"),
    "qwen2": ("Qwen2Model", "Qwen2ForCausalLM", "Qwen2ForSequenceClassification"),
    "t5": ("T5Model", "T5ForConditionalGeneration", "T5EncoderModel"),
    "vit": ("ViTModel", "ViTForImageClassification"),
}
FRAME = "transformers.frame"
# what the frame defines for the families
FRAMED = frozenset(
    [
        *(
            "PreTrainedConfig",
            "PreTrainedModel",
            "GradientCheckpointingLayer",
            "ACT2CLS",
            "Conv1D",
            "Output",
            "caching",
        ),
        *("DynamicCache", "EncoderDecoderCache", "create_causal_mask", "create_bidirectional_mask", "keeping", "tied"),
        *("create_sliding_window_causal_mask", "sdpa_attention_forward", "slice_logits_to_keep", "rope_parameters"),
        *("GenericForSequenceClassification", "GenericForTokenClassification", "GenericForQuestionAnswering"),
        *("ForCausalLMLoss", "ForMaskedLMLoss", "ForSequenceClassificationLoss", "ForTokenClassification"),
        *("gelu", "ForQuestionAnsweringLoss", "apply_chunking_to_forward", "attention_of", "BaseModelOutput"),
    ]
)
HIDDEN = ("dataclasses", "collections.abc", "huggingface_hub.dataclasses", "typing")
LOSSES = {
    "ForMaskedLM": "ForMaskedLMLoss",
    "ForSequenceClassification": "ForSequenceClassificationLoss",
    "ForImageClassification": "ForSequenceClassificationLoss",
    "ForTokenClassification": "ForTokenClassification",
    "ForQuestionAnswering": "ForQuestionAnsweringLoss",
}
# what generation, weights and distribution ask for
DROPPED_METHODS = frozenset(
    [
        *("_init_weights", "get_output_embeddings", "set_output_embeddings", "set_input_embeddings", "extra_repr"),
        *("prepare_inputs_for_generation", "_reorder_cache", "dummy_inputs", "validate_architecture", "__repr__"),
        *("resize_position_embeddings", "get_position_embeddings", "get_encoder", "get_decoder", "convert_rope_params"),
        *("prepare_decoder_input_ids_from_labels", "resize_embeddings", "interpolate_pos_encoding"),
    ]
)
KEPT_ATTRIBUTES = frozenset({"base_model_prefix", "attribute_map", "gradient_checkpointing"})
# parts of an output that only exist where somebody asks for them
ASKED_FOR = frozenset(
    [
        *("hidden_states", "attentions", "cross_attentions", "decoder_hidden_states", "decoder_attentions"),
        *("encoder_hidden_states", "encoder_attentions"),
    ]
)
KEPT_DECORATORS = frozenset({"property", "staticmethod", "classmethod", "torch.no_grad"})


# what depends on the kind of rotary embedding, whose tables have one size
STATED = {
    "self.rope_type = self.config.rope_parameters['rope_type']": "",
    "rope_init_fn = ROPE_INIT_FUNCTIONS[self.rope_type]": "",
    "base = config.rope_parameters['rope_theta']": "base = 10000.0",
}


class TransformersTrim(Trim):
    """One module of a family: configuration and models."""

    def __init__(self, module: str, tree: ast.Module) -> None:
        super().__init__(module)
        self.tree = tree
        # the classes in progress, and the names of those that have weights to tie once they are built
        self.cls: list[ast.ClassDef] = []
        self.outputs = outputs(tree)
        self.tying = {n.name for n in tree.body if isinstance(n, ast.ClassDef) and tied_keys(n) is not None}

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        if node.level == 0:
            return None if node.module in HIDDEN else node
        return None

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST | None:
        bases = [ast.unparse(base) for base in node.bases]
        if node.name in self.outputs:
            return None
        ties = tied_keys(node)
        self.cls.append(node)
        node.decorator_list = []
        node.bases = [base for base in node.bases if ast.unparse(base) not in ("GenerationMixin", "ABC")]
        node.body = [part for part in node.body if self.wanted(part)]
        if "PreTrainedConfig" in bases:
            node.body = configuration(node)
        self.generic_visit(node)
        if ties is not None:
            node.body.append(ast.parse(f"def tie_weights(self):\n    {ties}").body[0])
        if any(base.startswith("GenericFor") for base in bases):
            node.body.append(ast.parse(f"model_class = {node.name.partition('For')[0]}Model").body[0])
        if node.name.endswith("PreTrainedModel"):
            # the class of the configuration, for `from_pretrained`
            config = next(a for a in ast.walk(self.tree) if isinstance(a, ast.ClassDef) and a.name.endswith("Config"))
            node.body.append(ast.parse(f"config_class = {config.name}").body[0])
        node.body = body(node.body)
        self.cls.pop()
        return node

    @staticmethod
    def wanted(part: ast.stmt) -> bool:
        if isinstance(part, ast.FunctionDef):
            return part.name not in DROPPED_METHODS
        if isinstance(part, ast.Assign):
            return ast.unparse(part.targets[0]) in KEPT_ATTRIBUTES
        return isinstance(part, ast.AnnAssign) and part.value is not None

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST | None:
        merged = any(named(d) == "merge_with_config_defaults" for d in node.decorator_list)
        node.decorator_list = [d for d in node.decorator_list if ast.unparse(d).partition("(")[0] in KEPT_DECORATORS]
        found = super().visit_FunctionDef(node)
        if merged and "use_cache" in {a.arg for a in node.args.args}:
            node.body.insert(0, ast.parse("use_cache = caching(self, use_cache)").body[0])
        return found

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        text = ast.unparse(node)
        if text.startswith(("logger.", "torch_compilable_check(", "warnings.", "self.warn_if_padding")):
            return None
        if text == "self.post_init()":
            if self.cls[-1].name not in self.tying:
                return None
            return ast.parse("if self.config.tie_word_embeddings:\n    self.tie_weights()").body[0]
        return super().visit_Expr(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST | list[ast.stmt] | None:
        text = ast.unparse(node)
        if text in STATED:
            return ast.parse(STATED[text]).body
        if isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "nn.Buffer":
            name, value = ast.unparse(node.targets[0]).removeprefix("self."), ast.unparse(node.value.args[0])
            return ast.parse(f"self.register_buffer({name!r}, {value})").body
        if text.startswith(("logger = ", "__all__ = ")):
            return None
        if "ALL_ATTENTION_FUNCTIONS" in text:
            return ast.parse("attention_interface = attention_of(self.config, eager_attention_forward)").body
        return super().visit_Assign(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if "ALL_ATTENTION_FUNCTIONS" in ast.unparse(node):
            return ast.parse("attention_interface = attention_of(self.config, eager_attention_forward)").body[0]
        return super().visit_AnnAssign(node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt] | None:
        if ast.unparse(node.test) == "hidden_states.dtype == torch.float16":
            return None
        if all(isinstance(each, ast.Raise) or is_log(each) for each in node.body) and not node.orelse:
            return None
        return super().visit_If(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node = super().visit_Call(node)
        if not isinstance(node, ast.Call):
            return node
        name = named(node)
        if isinstance(node.func, ast.Name) and name in self.outputs:
            node.func.id = "Output"
            node.keywords = [k for k in node.keywords if k.arg not in ASKED_FOR]
        elif ast.unparse(node.func) == "self.loss_function":
            kind = next((loss for suffix, loss in LOSSES.items() if self.cls[-1].name.endswith(suffix)), None)
            node.func = ast.Name(kind or "ForCausalLMLoss")
        elif name == "get_activation":
            return ast.parse(f"ACT2CLS[{ast.unparse(node.args[0])}]()", mode="eval").body
        elif name == "get_text_config":
            return node.func.value if isinstance(node.func, ast.Attribute) else node
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        pair = re.fullmatch(r"isinstance\((\w+), (collections\.abc\.)?Iterable\)", ast.unparse(node.test))
        if pair:
            node.test = ast.parse(f"isinstance({pair[1]}, (list, tuple))", mode="eval").body
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id == "ACT2FN":
            node.value.id = "ACT2CLS"
            return ast.Call(node, [], [])
        return node


def outputs(tree: ast.Module) -> set[str]:
    """The classes of a module that hold what a model gives."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and str(node.module).endswith("modeling_outputs"):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ClassDef) and {"ModelOutput", *found} & {ast.unparse(base) for base in node.bases}:
            found.add(node.name)
    return found


def is_log(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and ast.unparse(node).startswith(("logger.", "warnings."))


def tied_keys(node: ast.ClassDef) -> str | None:
    """A dictionary of the weights that are one tensor, None where a class has none."""
    for part in node.body:
        if isinstance(part, ast.Assign) and ast.unparse(part.targets[0]) == "_tied_weights_keys":
            pairs = ast.literal_eval(part.value)
            return "; ".join(f"self.{name} = self.{source}" for name, source in pairs.items()) if pairs else None
    return None


def configuration(node: ast.ClassDef) -> list[ast.stmt]:
    """The body of a configuration class, whose fields become parameters of a constructor."""
    fields: list[tuple[str, str]] = []
    spelled: dict[str, str] = {}
    finish: list[ast.stmt] = []
    for part in node.body:
        if isinstance(part, ast.AnnAssign) and part.value is not None:
            default = part.value
            if isinstance(default, ast.Call):
                default = next(k.value for k in default.keywords if k.arg == "default")
            fields.append((ast.unparse(part.target), ast.unparse(default)))
        elif isinstance(part, ast.Assign) and ast.unparse(part.targets[0]) == "attribute_map":
            spelled = ast.literal_eval(part.value)
        elif isinstance(part, ast.FunctionDef) and part.name == "__post_init__":
            finish = [each for each in part.body if "super().__post_init__" not in ast.unparse(each)]
    fields = [(name, default) for name, default in fields if name not in spelled]
    given = ", ".join(f"{name}={default}" for name, default in fields)
    others = "".join(f", {name}=None" for name in spelled)
    lines = [f"def __init__(self, {given}{others}, **kwargs):", "    super().__init__(**kwargs)"]
    for name, _ in fields:
        lines.append(f"    self.{name} = {name}")
    for other, name in spelled.items():
        lines += [f"    if {other} is not None:", f"        self.{name} = {other}"]
    lines += ["    " + line for each in finish for line in ast.unparse(each).splitlines()]
    for other, name in spelled.items():
        lines += ["@property", f"def {other}(self):", f"    return self.{name}"]
    return ast.parse("\n".join(lines)).body


def reached(tree: ast.Module, roots: set[str]) -> ast.Module:
    """The module with only those classes and functions that the roots use."""
    known = {node.name: node for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    waiting, seen = sorted(roots), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in known:
            continue
        seen.add(name)
        waiting += [each.id for each in ast.walk(known[name]) if isinstance(each, ast.Name)]
    tree.body = [n for n in tree.body if not isinstance(n, (ast.ClassDef, ast.FunctionDef)) or n.name in seen]
    return tree


def family(source: Path, name: str) -> ast.Module:
    """The trimmed module of a family: configuration and models."""
    module = f"transformers.models.{name}.modeling_{name}"
    folder = source / "models" / name
    texts = [(folder / f"{kind}_{name}.py").read_text(encoding="utf-8") for kind in ("configuration", "modeling")]
    tree = ast.parse("\n".join(texts))
    tree = TransformersTrim(module, tree).visit(tree)
    configs = {n.name for n in tree.body if isinstance(n, ast.ClassDef) and n.name.endswith("Config")}
    tree = pruned(reached(tree, {*FAMILIES[name], *configs}))
    defined = {n.name for n in tree.body if isinstance(n, (ast.ClassDef, ast.FunctionDef))}
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} & FRAMED - defined
    tree.body.insert(0, ast.ImportFrom(FRAME, [ast.alias(each) for each in sorted(used)], 0))
    return tree


def notice(source: Path, name: str) -> str:
    """Whose work a family is, and that it was changed, as comments."""
    lines = (source / "models" / name / f"modeling_{name}.py").read_text(encoding="utf-8").splitlines()
    whose = [line for line in lines if line.startswith("# ") and "opyright" in line]
    return "".join(f"{line}\n" for line in whose) + (
        "# Licensed under the Apache License, Version 2.0, see LICENSE.txt of transformers. Trimmed by\n"
        "# tools/gen_library.py to what decides the memory of a training step.\n"
    )
