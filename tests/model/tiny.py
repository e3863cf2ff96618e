"""A tiny BERT with random weights and a vocabulary of its own, made in a moment."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from recsynth.model.encoders import load_encoder
from recsynth.model.towers import MatchModel, TextTower, UserTower

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
COLOURS = ["red", "blue", "green", "gold"]
WORDS = [*COLOURS, *(f"thing{i}" for i in range(40)), *"红色蓝茶杯盘子"]
EMBEDDING_SIZE = 32


def write_encoder(folder: Path, **config: int) -> str:
    """Write the encoder as a Hugging Face folder; the same weights every time."""
    vocabulary = {word: i for i, word in enumerate([*SPECIAL, *dict.fromkeys(WORDS)])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {f"{n}_token": f"[{n.upper()}]" for n in ("pad", "unk", "cls", "sep")}
    # A word that no test uses: another one would change every random weight.
    names["mask_token"] = "盘"
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": EMBEDDING_SIZE, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(vocabulary), **(sizes | config))).save_pretrained(folder)
    return str(folder)


def tiny_model(folder: Path, dropout: float = 0.0, dimensions: int = 0, layers: int = 0) -> MatchModel:
    """A match model over the tiny encoder, which is written to `folder`."""
    text = TextTower(*load_encoder(write_encoder(folder)), max_tokens=16, dimensions=dimensions)
    return MatchModel(text, UserTower(text.embedding_size, dropout, layers, length=8)).eval()
