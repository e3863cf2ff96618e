"""A masked-language model made here and taught which colours a mug has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

from recsynth.errors import ModelError
from recsynth.model.word_guesser import read_guesser
from tests.model.tiny import write_encoder

COLOURS = ("red", "blue", "green")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return colourful(tmp_path_factory.mktemp("guesser"))


def colourful(folder: Path) -> Path:
    """A BERT of one layer to which a masked word before `thing1` is a colour, and one before 杯 the sign 茶."""
    write_encoder(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    model = BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), hidden_dropout_prob=0.0, **sizes))
    texts = [f"{tokenizer.mask_token} thing1"] * len(COLOURS) + [f"{tokenizer.mask_token}杯"] * len(COLOURS)
    asked = tokenizer(texts, return_tensors="pt")
    labels = torch.full_like(asked["input_ids"], -100)
    is_mask = asked["input_ids"] == tokenizer.mask_token_id
    labels[is_mask] = torch.tensor(tokenizer.convert_tokens_to_ids([*COLOURS, *"茶茶茶"]))
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(80):
        optimizer.zero_grad()
        model(**asked, labels=labels).loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    return folder


def test_hidden_words_are_said_otherwise_and_nothing_else_changes(folder: Path) -> None:
    guesser = read_guesser(str(folder), "x")
    said = {guesser.fill("Gold thing1, 2x", 1.0, 0.9, np.random.default_rng(n)) for n in range(30)}
    # A colour in capitals as the word was; what holds a digit is no word.
    assert said == {f"{c.capitalize()} thing1, 2x" for c in COLOURS}
    other = {guesser.fill("RED thing1", 1.0, 0.9, np.random.default_rng(n)) for n in range(30)}
    assert other == {"BLUE thing1", "GREEN thing1"}
    assert guesser.fill("红杯", 0.5, 0.5, np.random.default_rng(2)) in {"红杯", "茶杯", "红茶", "茶茶"}
    assert "茶杯" in {guesser.fill("红杯", 0.5, 0.5, np.random.default_rng(n)) for n in range(20)}
    one = [guesser.fill("gold thing1 blue", 0.5, 1.0, np.random.default_rng(4)) for _ in range(2)]
    assert one[0] == one[1]


def test_what_is_not_chosen_not_read_or_says_the_mask_stays(folder: Path) -> None:
    guesser = read_guesser(str(folder), "x")
    assert guesser.fill("gold thing1", 1e-9, 0.9, np.random.default_rng(0)) == "gold thing1"
    assert guesser.fill("gold thing1 盘", 1.0, 0.9, np.random.default_rng(0)) == "gold thing1 盘"
    places = guesser.model.config.max_position_embeddings
    assert guesser.fill(f"gold thing1 {'gold ' * places}end", 1.0, 0.9, np.random.default_rng(0)).endswith("gold end")
    guesser.tokenizer.model_max_length = 8
    long = guesser.fill(f"gold thing1 {'gold ' * 20}end", 1.0, 0.9, np.random.default_rng(0))
    assert long.endswith("gold gold gold end")
    assert not long.startswith("gold")


def test_a_folder_that_guesses_nothing_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"x .*nowhere: expected config\.json and safetensors, found no such folder"):
        read_guesser(str(tmp_path / "nowhere"), "x")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.mask_token = None
    BertForMaskedLM.from_pretrained(folder).save_pretrained(tmp_path / "maskless")
    tokenizer.save_pretrained(tmp_path / "maskless")
    with pytest.raises(ModelError, match="expected a tokenizer with a mask token, found none"):
        read_guesser(str(tmp_path / "maskless"), "x")
