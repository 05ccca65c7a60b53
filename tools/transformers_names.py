"""Names on the Hugging Face hub and the configurations they are known to have: family, other spellings, parameters.

Only what the published `config.json` of each model certainly says, as differences from the defaults of the family's
configuration class.
"""

from __future__ import annotations

from typing import Any

LARGE: dict[str, Any] = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
}
ROBERTA: dict[str, Any] = {"vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1}
XLM: dict[str, Any] = {"vocab_size": 250002, "max_position_embeddings": 514, "type_vocab_size": 1}


def gpt2(layers: int, width: int, heads: int) -> dict[str, Any]:
    return {"n_layer": layers, "n_embd": width, "n_head": heads}


def t5(width: int, inner: int, layers: int, heads: int) -> dict[str, Any]:
    return {"d_model": width, "d_ff": inner, "num_layers": layers, "num_heads": heads, "d_kv": 64}


def vit(patch: int, image: int = 224, **other: Any) -> dict[str, Any]:
    return {"patch_size": patch, "image_size": image, **other}


NAMES: dict[str, tuple[str, list[str], dict[str, Any]]] = {
    "bert-base-uncased": ("Bert", ["google-bert/bert-base-uncased"], {"vocab_size": 30522}),
    "bert-base-cased": ("Bert", ["google-bert/bert-base-cased"], {"vocab_size": 28996}),
    "bert-large-uncased": ("Bert", ["google-bert/bert-large-uncased"], {"vocab_size": 30522, **LARGE}),
    "bert-large-cased": ("Bert", ["google-bert/bert-large-cased"], {"vocab_size": 28996, **LARGE}),
    "bert-base-multilingual-cased": ("Bert", ["google-bert/bert-base-multilingual-cased"], {"vocab_size": 119547}),
    "bert-base-multilingual-uncased": ("Bert", ["google-bert/bert-base-multilingual-uncased"], {"vocab_size": 105879}),
    "bert-base-chinese": ("Bert", ["google-bert/bert-base-chinese"], {"vocab_size": 21128}),
    "distilbert-base-uncased": ("DistilBert", ["distilbert/distilbert-base-uncased"], {"vocab_size": 30522}),
    "distilbert-base-cased": ("DistilBert", ["distilbert/distilbert-base-cased"], {"vocab_size": 28996}),
    "roberta-base": ("Roberta", ["FacebookAI/roberta-base"], ROBERTA),
    "roberta-large": ("Roberta", ["FacebookAI/roberta-large"], {**ROBERTA, **LARGE}),
    "distilroberta-base": ("Roberta", ["distilbert/distilroberta-base"], {**ROBERTA, "num_hidden_layers": 6}),
    "xlm-roberta-base": ("XLMRoberta", ["FacebookAI/xlm-roberta-base"], XLM),
    "xlm-roberta-large": ("XLMRoberta", ["FacebookAI/xlm-roberta-large"], {**XLM, **LARGE}),
    "gpt2": ("GPT2", ["openai-community/gpt2"], {}),
    "gpt2-medium": ("GPT2", ["openai-community/gpt2-medium"], gpt2(24, 1024, 16)),
    "gpt2-large": ("GPT2", ["openai-community/gpt2-large"], gpt2(36, 1280, 20)),
    "gpt2-xl": ("GPT2", ["openai-community/gpt2-xl"], gpt2(48, 1600, 25)),
    "distilgpt2": ("GPT2", ["distilbert/distilgpt2"], gpt2(6, 768, 12)),
    "t5-small": ("T5", ["google-t5/t5-small"], t5(512, 2048, 6, 8)),
    "t5-base": ("T5", ["google-t5/t5-base"], t5(768, 3072, 12, 12)),
    "t5-large": ("T5", ["google-t5/t5-large"], t5(1024, 4096, 24, 16)),
    "google/vit-base-patch16-224": ("ViT", [], vit(16)),
    "google/vit-base-patch16-224-in21k": ("ViT", [], vit(16)),
    "google/vit-base-patch16-384": ("ViT", [], vit(16, 384)),
    "google/vit-base-patch32-384": ("ViT", [], vit(32, 384)),
    "google/vit-large-patch16-224": ("ViT", [], vit(16, **LARGE)),
    "google/vit-large-patch16-224-in21k": ("ViT", [], vit(16, **LARGE)),
    "facebook/dinov2-small": ("Dinov2", [], vit(14, 518, hidden_size=384, num_attention_heads=6)),
    "facebook/dinov2-base": ("Dinov2", [], vit(14, 518)),
    "facebook/dinov2-large": (
        "Dinov2",
        [],
        vit(14, 518, hidden_size=1024, num_hidden_layers=24, num_attention_heads=16),
    ),
}
