"""A pair of small Marian models taught by sentence pairs: back-translation on real language without a model hub."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import sentencepiece
import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import MarianConfig, MarianMTModel, MarianTokenizer
from transformers.trainer_utils import set_seed

from recsynth.model.precision import half_precision

log = logging.getLogger(__name__)

BATCH, RATE, WARMUP, LONGEST = 128, 1e-3, 100, 64


def sentence_pairs(folder: Path, known_words: int) -> pd.DataFrame:
    """Columns english, mandarin, one row an English sentence of such frequent words alone, in the order of its hash."""
    lines = pd.read_csv(
        folder / "tatoeba_eng_cmn" / "cmn.txt", sep="\t", header=None, quoting=3, encoding="utf-8-sig",
        names=["english", "mandarin", "attribution"],
    )  # fmt: skip
    words = lines["english"].str.lower().str.findall(r"[a-z']+")
    known = set(words.explode().value_counts().index[:known_words])
    plain = lines[words.map(lambda of_line: set(of_line) <= known)].drop_duplicates("english")
    order = pd.util.hash_pandas_object(plain["english"], index=False)
    return plain.iloc[np.argsort(order.to_numpy())].reset_index(drop=True)


def fit_pair(pairs: pd.DataFrame, folder: Path, steps: int, seed: int) -> tuple[Path, Path]:
    """Folders of a model from English to Mandarin and of one back."""
    sides = list(zip(pairs["english"], pairs["mandarin"], strict=True))
    there = fit_marian(sides, folder / "there", steps, seed)
    return there, fit_marian([(b, a) for a, b in sides], folder / "back", steps, seed)


def fit_marian(pairs: Sequence[tuple[str, str]], folder: Path, steps: int, seed: int) -> Path:
    """Teach a Marian model of two layers to translate, and write it as a hub would: spm files, config, safetensors."""
    folder.mkdir(parents=True)
    tokenizer = _tokenizer(pairs, folder)
    set_seed(seed)
    pad, end = tokenizer.pad_token_id, tokenizer.eos_token_id
    model = MarianMTModel(MarianConfig(
        vocab_size=len(tokenizer), d_model=192, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=384, decoder_ffn_dim=384, max_position_embeddings=LONGEST,
        pad_token_id=pad, eos_token_id=end, decoder_start_token_id=pad, forced_eos_token_id=end, scale_embedding=True,
    ))  # fmt: skip
    read = [torch.tensor(tokenizer(a)["input_ids"][-LONGEST:]) for a, _ in pairs]
    written = [torch.tensor(tokenizer(text_target=b)["input_ids"][-LONGEST:]) for _, b in pairs]
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    # Pairs of a length together: less of a step is padding.
    order = np.argsort([len(r) + len(w) for r, w in zip(read, written, strict=True)], kind="stable")
    batches = np.array_split(order, max(1, len(order) // BATCH))
    rng = np.random.default_rng(seed)
    model.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARMUP) * (1 - step / steps)
        rows = batches[rng.integers(len(batches))]
        inputs = pad_sequence([read[i] for i in rows], batch_first=True, padding_value=pad)
        labels = pad_sequence([written[i] for i in rows], batch_first=True, padding_value=-100)
        with half_precision(torch.device("cpu"), True):
            loss = model(input_ids=inputs, attention_mask=(inputs != pad).long(), labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 100 == 0:
            log.info("%s: step %d of %d, loss %.3f", folder.name, step + 1, steps, loss.item())
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(pairs: Sequence[tuple[str, str]], folder: Path) -> MarianTokenizer:
    """SentencePiece models of both sides and one vocabulary of the pieces of both, as Marian's tokenizers have them."""
    pieces: list[str] = []
    for side, name in enumerate(("source", "target")):
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([pair[side] for pair in pairs]), model_prefix=str(folder / name), vocab_size=3000,
            hard_vocab_limit=False, character_coverage=0.995, minloglevel=2,
        )  # fmt: skip
        (folder / f"{name}.model").rename(folder / f"{name}.spm")
        (folder / f"{name}.vocab").unlink()
        spm = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{name}.spm"))
        pieces += [spm.id_to_piece(i) for i in range(spm.get_piece_size())]
    own = {"</s>", "<unk>", "<s>"}
    vocabulary = ["</s>", "<unk>", *dict.fromkeys(p for p in pieces if p not in own), "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({piece: n for n, piece in enumerate(vocabulary)}))
    return MarianTokenizer(
        str(folder / "source.spm"), str(folder / "target.spm"), str(folder / "vocab.json"), model_max_length=LONGEST
    )
