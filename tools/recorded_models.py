"""The models whose steps `tools/record_steps.py` records: what their scripts are made of."""

from __future__ import annotations

from itertools import cycle
from typing import Any

# (batch with Adam, with SGD) → models
TORCHVISION = {
    (8, 4): (
        "alexnet",
        "efficientnet_b0",
        "inception_v3",
        "mobilenet_v3_small",
        "resnet18",
        "swin_t",
        "vgg16_bn",
        "wide_resnet50_2",
    ),
    (32, 16): (
        "convnext_large",
        "efficientnet_v2_s",
        "mnasnet0_5",
        "resnet152",
        "shufflenet_v2_x2_0",
        "swin_v2_t",
        "vit_b_16",
    ),
    (16, 8): (
        "convnext_tiny",
        "efficientnet_b7",
        "maxvit_t",
        "mobilenet_v3_large",
        "resnet50",
        "shufflenet_v2_x0_5",
        "swin_b",
        "vgg19",
    ),
    (2, 32): (
        "densenet121",
        "efficientnet_v2_l",
        "mnasnet1_3",
        "resnext50_32x4d",
        "squeezenet1_0",
        "swin_v2_b",
        "vit_l_32",
    ),
    (4, 2): (
        "densenet201",
        "googlenet",
        "mobilenet_v2",
        "regnet_x_400mf",
        "regnet_y_400mf",
        "resnext101_64x4d",
        "squeezenet1_1",
        "vgg11",
    ),
}
TIMM = (
    *("convnext_tiny", "deit_small_patch16_224", "densenet121", "efficientnet_b0", "mobilenetv3_large_100", "resnet18"),
    *("resnet34", "resnet50", "resnet101", "resnext50_32x4d", "swin_tiny_patch4_window7_224", "vgg16"),
    *("vit_base_patch16_224", "vit_tiny_patch16_224"),
)
SMALL = "hidden_size=128, num_hidden_layers=3, num_attention_heads=4, intermediate_size=512, vocab_size=1000"
GPT2 = "n_embd=128, n_layer=3, n_head=4, vocab_size=1000"
T5 = "d_model=128, d_kv=32, d_ff=512, num_layers=3, num_heads=4, vocab_size=1000, decoder_start_token_id=0"
IDS = '"input_ids": torch.randint(0, 1000, (8, 64))'
MASK = '"attention_mask": torch.randint(0, 2, (8, 64))'
IMAGES = '"pixel_values": torch.randn(8, 3, 64, 64)'
TOKENS = '"labels": torch.randint(0, 1000, (8, 64))'
ENABLE = "model.gradient_checkpointing_enable()\n"


def classes(count: int, *size: int) -> str:
    return f'"labels": torch.randint(0, {count}, ({", ".join(map(str, (8, *size)))},))'


SPAN = '"start_positions": torch.randint(0, 64, (8,)), "end_positions": torch.randint(0, 64, (8,))'
# model, options of the configuration, inputs, what is called before the model is moved
TRANSFORMERS: tuple[tuple[str, str, str, tuple[str, ...], str], ...] = (
    ("Bert", "ForSequenceClassification", f"{SMALL}, num_labels=3", (IDS, MASK, classes(3)), ""),
    ("Bert", "ForSequenceClassification", f"{SMALL}, num_labels=3", (IDS, MASK, classes(3)), ENABLE),
    ("Bert", "ForTokenClassification", f"{SMALL}, num_labels=9", (IDS, MASK, classes(9, 64)), ""),
    ("Bert", "ForQuestionAnswering", SMALL, (IDS, MASK, SPAN), ""),
    ("Bert", "ForMaskedLM", SMALL, (IDS, TOKENS), ""),
    ("Roberta", "ForSequenceClassification", f"{SMALL}, num_labels=3", (IDS, MASK, classes(3)), ""),
    ("Roberta", "ForMaskedLM", SMALL, (IDS, MASK, TOKENS), ""),
    ("XLMRoberta", "ForTokenClassification", f"{SMALL}, num_labels=9", (IDS, MASK, classes(9, 64)), ""),
    (
        *("DistilBert", "ForSequenceClassification", "dim=128, n_layers=3, n_heads=4, hidden_dim=512, vocab_size=1000"),
        (IDS, MASK, classes(2)),
        "",
    ),
    ("GPT2", "LMHeadModel", GPT2, (IDS, MASK, TOKENS), ""),
    ("GPT2", "LMHeadModel", GPT2, (IDS, TOKENS), ENABLE),
    ("GPT2", "ForSequenceClassification", f"{GPT2}, pad_token_id=0", (IDS, MASK, classes(2)), ""),
    (
        *("OPT", "ForCausalLM"),
        "hidden_size=128, num_hidden_layers=3, num_attention_heads=4, ffn_dim=512, vocab_size=1000",
        (IDS, MASK, TOKENS),
        "",
    ),
    ("Llama", "ForCausalLM", f"{SMALL}, num_key_value_heads=2", (IDS, TOKENS), ""),
    ("Llama", "ForCausalLM", f"{SMALL}, num_key_value_heads=2", (IDS, MASK, TOKENS), ENABLE),
    ("Mistral", "ForCausalLM", f"{SMALL}, num_key_value_heads=2", (IDS, MASK, TOKENS), ""),
    ("Qwen2", "ForSequenceClassification", f"{SMALL}, num_key_value_heads=2, pad_token_id=0", (IDS, classes(2)), ""),
    ("T5", "ForConditionalGeneration", T5, (IDS, MASK, '"labels": torch.randint(0, 1000, (8, 32))'), ""),
    (
        *("ViT", "ForImageClassification"),
        "hidden_size=128, num_hidden_layers=3, num_attention_heads=4, intermediate_size=512, image_size=64,"
        " num_labels=10",
        (IMAGES, classes(10)),
        "",
    ),
)


def cases(library: str) -> list[dict[str, Any]]:
    """What the rows of a library are made of."""
    found: list[dict[str, Any]] = []
    if library == "transformers":
        for family, task, options, inputs, setup in TRANSFORMERS:
            case = {"model": family + task, "config": f"{family}Config", "options": options, "setup": setup}
            case["inputs"] = ", ".join(inputs)
            found += [{**case, "optimizer": optimizer} for optimizer in ("AdamW", "SGD")]
        return found
    if library == "timm":
        for name, batch in zip(TIMM, cycle((4, 8, 16, 2)), strict=False):
            case = {"model": name, "options": ", num_classes=10"}
            found += [{**case, "optimizer": "AdamW", "batch": batch}, {**case, "optimizer": "SGD", "batch": 4}]
        return found
    for batches, names in TORCHVISION.items():
        for name in names:
            case = {"model": name}
            found += [{**case, "optimizer": o, "batch": n} for o, n in zip(("Adam", "SGD"), batches, strict=True)]
    return found
