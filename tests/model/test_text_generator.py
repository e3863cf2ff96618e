"""A language model that writes: made here, taught one sentence, read as a night reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from recsynth.errors import ModelError
from recsynth.model.text_generator import check_generator, fenced, read_generator

SENTENCE = "This red mug is for tea"
RECORD = {"colour": "red", "thing": "mug"}
PROMPT = f"Write a headline. {fenced(RECORD)} headline:"


def taught(folder: Path, sentence: str, prompt: str) -> Path:
    """A GPT-2 of one layer that answers a prompt with a sentence; words of the sentence are its own."""
    whitespace = Whitespace()
    words = dict.fromkeys(w for w, _ in whitespace.pre_tokenize_str(f"{prompt} {sentence}"))
    inner = Tokenizer(WordLevel({w: n for n, w in enumerate(["<unk>", "<end>", *words])}, unk_token="<unk>"))
    inner.pre_tokenizer = whitespace
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", eos_token="<end>")
    torch.manual_seed(1)
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=160, n_embd=48, n_layer=1, n_head=2,
                        bos_token_id=1, eos_token_id=1, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)  # fmt: skip
    model = GPT2LMHeadModel(config)
    start = tokenizer(prompt, return_tensors="pt")["input_ids"]
    whole = torch.cat([start, tokenizer(sentence, return_tensors="pt")["input_ids"], torch.tensor([[1]])], 1)
    labels = whole.clone()
    labels[:, : start.shape[1]] = -100
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        model(input_ids=whole, labels=labels).loss.backward()
        optimizer.step()
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_model_of_a_folder_writes_the_same_for_the_same_seed(tmp_path: Path) -> None:
    model = read_generator(str(taught(tmp_path, SENTENCE, PROMPT)), "x")
    before = torch.random.get_rng_state()
    texts = model.write(PROMPT, 3, 12, seed=5)
    assert SENTENCE in texts
    assert texts == model.write(PROMPT, 3, 12, seed=5)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_model_reads_and_writes_no_more_than_it_has_places_for(tmp_path: Path) -> None:
    model = read_generator(str(taught(tmp_path, SENTENCE, PROMPT)), "x")
    places = model.model.config.n_positions
    assert model.write(PROMPT, 2, 10 * places, seed=5)
    assert max(len(text.split()) for text in model.write("mug " * (places - 2), 8, 50, seed=5)) <= 2
    assert model.write("mug " * 2 * places, 1, 50, seed=5) == []


def test_a_folder_without_safetensors_or_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"apps\.ads\.generator .*nowhere: expected .*found no such folder"):
        check_generator(str(tmp_path / "nowhere"), "apps.ads.generator")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"found config\.json, pytorch_model\.bin"):
        check_generator(str(tmp_path), "x")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="expected a model that writes texts"):
        read_generator(str(tmp_path), "x")
