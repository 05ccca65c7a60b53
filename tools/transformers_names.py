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


def opt(width: int, layers: int, heads: int, **other: Any) -> dict[str, Any]:
    return {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "ffn_dim": 4 * width,
    } | other


def decoder(width: int, layers: int, heads: int, groups: int, inner: int, vocab: int, **other: Any) -> dict[str, Any]:
    """Llama, Mistral and Qwen2: `groups` are the heads of keys and values."""
    return {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": groups,
        "intermediate_size": inner,
        "vocab_size": vocab,
    } | other


# the dtype that weights are saved in, where it is not float32: models are loaded in it since transformers 5
HALF: dict[str, str] = {
    **dict.fromkeys(("facebook/opt-125m", "facebook/opt-350m", "facebook/opt-1.3b", "facebook/opt-2.7b"), "float16"),
    "meta-llama/Llama-2-7b-hf": "float16",
    **dict.fromkeys(("meta-llama/Meta-Llama-3-8B", "meta-llama/Llama-3.2-1B", "meta-llama/Llama-3.2-3B"), "bfloat16"),
    **dict.fromkeys(("mistralai/Mistral-7B-v0.1", "TinyLlama/TinyLlama-1.1B-Chat-v1.0"), "bfloat16"),
    **dict.fromkeys(("Qwen/Qwen2-0.5B", "Qwen/Qwen2-1.5B", "Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-1.5B"), "bfloat16"),
}

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
    "facebook/opt-125m": ("OPT", [], opt(768, 12, 12)),
    "facebook/opt-350m": ("OPT", [], opt(1024, 24, 16, word_embed_proj_dim=512, do_layer_norm_before=False)),
    "facebook/opt-1.3b": ("OPT", [], opt(2048, 24, 32)),
    "facebook/opt-2.7b": ("OPT", [], opt(2560, 32, 32)),
    "meta-llama/Llama-2-7b-hf": (
        "Llama",
        ["meta-llama/Llama-2-7b-chat-hf"],
        decoder(4096, 32, 32, 32, 11008, 32000, max_position_embeddings=4096),
    ),
    "meta-llama/Meta-Llama-3-8B": (
        "Llama",
        [
            *("meta-llama/Meta-Llama-3-8B-Instruct", "meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B-Instruct"),
            *("meta-llama/Meta-Llama-3.1-8B", "meta-llama/Meta-Llama-3.1-8B-Instruct"),
        ],
        decoder(4096, 32, 32, 8, 14336, 128256),
    ),
    "meta-llama/Llama-3.2-1B": (
        "Llama",
        ["meta-llama/Llama-3.2-1B-Instruct"],
        decoder(2048, 16, 32, 8, 8192, 128256, head_dim=64, tie_word_embeddings=True),
    ),
    "meta-llama/Llama-3.2-3B": (
        "Llama",
        ["meta-llama/Llama-3.2-3B-Instruct"],
        decoder(3072, 28, 24, 8, 8192, 128256, head_dim=128, tie_word_embeddings=True),
    ),
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": ("Llama", [], decoder(2048, 22, 32, 4, 5632, 32000)),
    "mistralai/Mistral-7B-v0.1": ("Mistral", ["mistralai/Mistral-7B-Instruct-v0.1"], {}),
    "Qwen/Qwen2-0.5B": (
        "Qwen2",
        ["Qwen/Qwen2-0.5B-Instruct"],
        decoder(896, 24, 14, 2, 4864, 151936, tie_word_embeddings=True),
    ),
    "Qwen/Qwen2.5-0.5B": (
        "Qwen2",
        ["Qwen/Qwen2.5-0.5B-Instruct"],
        decoder(896, 24, 14, 2, 4864, 151936, tie_word_embeddings=True),
    ),
    "Qwen/Qwen2-1.5B": (
        "Qwen2",
        ["Qwen/Qwen2-1.5B-Instruct"],
        decoder(1536, 28, 12, 2, 8960, 151936, tie_word_embeddings=True),
    ),
    "Qwen/Qwen2.5-1.5B": (
        "Qwen2",
        ["Qwen/Qwen2.5-1.5B-Instruct"],
        decoder(1536, 28, 12, 2, 8960, 151936, tie_word_embeddings=True),
    ),
}
