"""The models whose steps `tools/record_steps.py` records: what their scripts are made of."""

from __future__ import annotations

from itertools import cycle
from typing import Any

TORCHVISION = (
    *("alexnet", "convnext_large", "convnext_tiny", "densenet121", "densenet201", "efficientnet_b0", "efficientnet_b7"),
    *("efficientnet_v2_l", "efficientnet_v2_s", "googlenet", "inception_v3", "maxvit_t", "mnasnet0_5", "mnasnet1_3"),
    *("mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet152"),
    *("resnet18", "resnet50", "resnext101_64x4d", "resnext50_32x4d", "shufflenet_v2_x0_5", "shufflenet_v2_x2_0"),
    *("squeezenet1_0", "squeezenet1_1", "swin_b", "swin_t", "swin_v2_b", "swin_v2_t", "vgg11", "vgg16_bn", "vgg19"),
    *("vit_b_16", "vit_l_32", "wide_resnet50_2"),
)
TIMM = (
    *("convnext_tiny", "deit_small_patch16_224", "densenet121", "efficientnet_b0", "mobilenetv3_large_100", "resnet18"),
    *("resnet34", "resnet50", "resnet101", "resnext50_32x4d", "swin_tiny_patch4_window7_224", "vgg16"),
    *("vit_base_patch16_224", "vit_tiny_patch16_224", "tf_efficientnet_b0", "regnety_004"),
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
    for name, batch in zip(TORCHVISION, cycle((8, 32, 16, 2, 4)), strict=False):
        batch = 4 if name.startswith("regnet") else batch
        for optimizer, size in (("Adam", batch), ("SGD", max(2, batch // 2))):
            found.append({"model": name, "optimizer": optimizer, "batch": size})
    return found
