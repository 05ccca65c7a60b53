"""What a tokenizer gives a model, and the Trainer of transformers with a model that is followed inside."""

from __future__ import annotations

import pytest
from projects import projected, said

from trainlint.memory.estimate import Estimate

START = """
import torch
from torch.utils.data import DataLoader, Dataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer, GPT2Config, GPT2LMHeadModel
from transformers import Trainer, TrainingArguments

tokenizer = AutoTokenizer.from_pretrained("bert-base-uncased")
"""
SAMPLES = """
class Texts(Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, index):
        found = tokenizer("a text", truncation=True, max_length=32, {options})
        item = {{key: {made} for key, value in found.items()}}
        item["labels"] = torch.tensor(0)
        return item

loader = DataLoader(Texts(), batch_size=4)
"""
TOGETHER = """
def collate(texts):
    batch = tokenizer(texts, truncation=True, max_length=32, {options}, return_tensors="pt")
    batch["labels"] = torch.zeros(len(texts), dtype=torch.long)
    return batch

loader = DataLoader(["a text"] * 64, batch_size=4, collate_fn=collate)
"""
TRAIN = """
model = AutoModelForSequenceClassification.from_pretrained("bert-base-uncased", num_labels=2).to("cuda")
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for batch in loader:
    batch = batch.to("cuda") if hasattr(batch, "to") else {k: v.to("cuda") for k, v in batch.items()}
    loss = model(**batch).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
"""
# ids, types and mask of four texts of 32 tokens, and four labels
BATCH = 3 * 4 * 32 * 8 + 4 * 8
PADDED = 'padding="max_length"'


def trained(code: str) -> Estimate:
    (found,) = projected({"main.py": START + code})
    return found


@pytest.mark.parametrize(
    "data",
    [
        SAMPLES.format(options=PADDED + ', return_tensors="pt"', made="value.squeeze(0)"),
        SAMPLES.format(options=PADDED, made="torch.tensor(value)"),
        TOGETHER.format(options=PADDED),
    ],
)
def test_texts_that_are_padded_to_a_length_have_it(data: str) -> None:
    train = TRAIN.replace('batch.to("cuda") if hasattr(batch, "to") else ', "")
    found = trained(data + train)
    assert found.unknown == []
    assert found.terms["batch"] == BATCH
    assert found.terms["gradients"] == 4 * 109_483_778


def test_what_a_tokenizer_gives_moves_as_one() -> None:
    train = TRAIN.replace(' if hasattr(batch, "to") else {k: v.to("cuda") for k, v in batch.items()}', "")
    assert trained(TOGETHER.format(options=PADDED) + train).terms["batch"] == BATCH


def test_texts_that_are_padded_to_the_longest_have_no_known_length() -> None:
    train = TRAIN.replace('batch.to("cuda") if hasattr(batch, "to") else ', "")
    found = trained(TOGETHER.format(options="padding=True") + train)
    assert not found.complete
    assert any("size" in text for text in said(found))


TRAINER = """
class Blocks(Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, index):
        ids = torch.randint(0, 1000, (64,))
        return {{"input_ids": ids, "labels": ids.clone()}}

model = GPT2LMHeadModel(GPT2Config(n_embd=128, n_layer=3, n_head=4, vocab_size=1000))
args = TrainingArguments(output_dir="out", per_device_train_batch_size=8{options})
Trainer(model=model, args=args, train_dataset=Blocks()).train()
"""


# measured with transformers 5.24 by `trainlint measure --device cpu --rules cuda`
@pytest.mark.parametrize(
    ("options", "activations", "peak"), [("", 25_109_020, 39_462_400), (", bf16=True", 20_908_572, 35_261_952)]
)
def test_a_step_of_the_trainer(options: str, activations: int, peak: int) -> None:
    found = trained(TRAINER.format(options=options))
    assert found.unknown == []
    assert found.terms["gradients"] == 3_416_576
    assert abs(found.terms["activations"] / activations - 1) <= 0.001
    allocated = found.peak.allocated - found.peak.roles.get("workspace", 0)
    assert abs(allocated / peak - 1) <= 0.005


def test_the_trainer_checkpoints_the_layers() -> None:
    plain, sparse = (
        trained(TRAINER.format(options="")),
        trained(TRAINER.format(options=", gradient_checkpointing=True")),
    )
    assert sparse.unknown == []
    assert sparse.terms["activations"] < plain.terms["activations"] / 3


HUB = """
from datasets import load_dataset
from transformers import DataCollatorForLanguageModeling, DataCollatorWithPadding

raw = load_dataset("glue", "sst2")


def tokenize(rows):
    return tokenizer(rows["sentence"], truncation=True, padding="max_length", max_length=32)


data = raw.map(tokenize, batched=True)
"""
FORMATTED = """
data = data.rename_column("label", "labels")
data.set_format("torch", columns=["input_ids", "token_type_ids", "attention_mask", "labels"])
"""
COLLATED = """
data = data.remove_columns(["sentence", "idx"]).rename_column("label", "labels")
"""
SPLIT = 'loader = DataLoader(data["train"], batch_size=4{options})'
COLLATOR = ", collate_fn=DataCollatorWithPadding(tokenizer)"


@pytest.mark.parametrize(("form", "options"), [(FORMATTED, ""), (COLLATED, COLLATOR)])
def test_a_data_set_of_the_hub_has_the_columns_that_the_program_names(form: str, options: str) -> None:
    train = TRAIN.replace('batch.to("cuda") if hasattr(batch, "to") else ', "")
    found = trained(HUB + form + SPLIT.format(options=options) + train)
    assert found.unknown == []
    assert found.terms["batch"] == BATCH


def test_the_trainer_with_a_data_set_of_the_hub() -> None:
    model = 'AutoModelForSequenceClassification.from_pretrained("bert-base-uncased", num_labels=2)'
    args = 'TrainingArguments(output_dir="out", per_device_train_batch_size=4)'
    found = trained(HUB + f'Trainer(model={model}, args={args}, train_dataset=data["train"]).train()\n')
    assert found.unknown == []
    assert found.batch_size == 4
    assert found.terms["gradients"] == 4 * 109_483_778


def test_a_language_model_is_given_its_tokens_as_labels() -> None:
    model = "GPT2LMHeadModel(GPT2Config(n_embd=128, n_layer=3, n_head=4))"
    collator = "data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False)"
    args = 'TrainingArguments(output_dir="out", per_device_train_batch_size=4)'
    code = (
        HUB.replace('"bert', '"gpt2') + 'data = data.remove_columns(["sentence", "idx", "label", "token_type_ids"])\n'
    )
    found = trained(code + f'Trainer(model={model}, args={args}, train_dataset=data["train"], {collator}).train()\n')
    assert found.unknown == []
    assert found.terms["batch"] == 3 * 4 * 32 * 8


def test_texts_of_other_lengths_have_no_known_size() -> None:
    code = HUB.replace('padding="max_length", ', "")
    train = TRAIN.replace('batch.to("cuda") if hasattr(batch, "to") else ', "")
    assert not trained(code + COLLATED + SPLIT.format(options=COLLATOR) + train).complete
