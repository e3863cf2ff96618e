"""Masked-language-model learning on the shop's own texts, before anything is asked of users.

Source: Devlin et al., NAACL 2019; on the text of the task itself: Gururangan et al., ACL 2020. A sentence encoder
ships without the head that guesses words, so a new one is made: dense, GELU, layer norm, and the encoder's own word
embeddings as output (tied). It is thrown away afterwards. Shapes: M texts, T tokens, H hidden_size, V vocabulary.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recsynth.errors import ModelError
from recsynth.model.towers import TextTower
from recsynth.training.optimizers import schedule
from recsynth.training.settings import TrainingSettings
from recsynth.training.together import average_gradients, rank

log = logging.getLogger(__name__)

# Of all tokens so many are to be guessed; of these so many show the mask, and so many another word (BERT's shares).
GUESSED, MASKED, REPLACED = 0.15, 0.8, 0.1
NOT_GUESSED = -100


class WordHead(nn.Module):
    """From token states (N, H) to logits over the vocabulary (N, V)."""

    def __init__(self, hidden_size: int, vocabulary: int) -> None:
        super().__init__()
        self.dense, self.norm = nn.Linear(hidden_size, hidden_size), nn.LayerNorm(hidden_size)
        self.bias_V = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, states_NH: Tensor, words_VH: Tensor) -> Tensor:
        """words_VH: the encoder's word embeddings."""
        logits_NV: Tensor = self.norm(F.gelu(self.dense(states_NH))) @ words_VH.T + self.bias_V
        return logits_NV


def learn_words(
    text: TextTower, texts: Sequence[str], settings: TrainingSettings, seed: int, is_bf16: bool = False
) -> list[float]:
    """Let what may learn in the encoder guess masked words for `masked_steps` steps; returns each step's loss.

    The encoder's own dropout is on. The catalogue's centre has to be taken anew afterwards. Raises ModelError where
    the tokenizer has no mask token.
    """
    if text.tokenizer.mask_token_id is None:
        raise ModelError("masked_steps: expected a tokenizer with a mask token, found none")
    encoder: Any = text.encoder
    words: nn.Parameter = encoder.get_input_embeddings().weight
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = WordHead(text.hidden_size, len(words)).to(text.mean_D.device)
    learning = [p for p in encoder.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": learning, "peak": settings.masked_learning_rate},
         {"params": list(head.parameters()), "peak": settings.masked_head_learning_rate}],
        weight_decay=settings.weight_decay,
    )  # fmt: skip
    rng, losses = np.random.default_rng([seed, rank()]), []
    text.train()
    for step in range(settings.masked_steps):
        chosen = rng.choice(len(texts), min(settings.items_per_step, len(texts)), replace=False)
        tokens, wanted_MT = masked(text, [texts[i] for i in chosen], rng)
        with torch.autocast(text.mean_D.device.type, torch.bfloat16, enabled=is_bf16):
            states_MTH = encoder(**tokens).last_hidden_state
        is_guessed_MT = wanted_MT != NOT_GUESSED
        logits_NV = head(states_MTH[is_guessed_MT].float(), words)
        # Few short texts can come without a word to guess.
        loss = F.cross_entropy(logits_NV, wanted_MT[is_guessed_MT]) if len(logits_NV) else logits_NV.sum()
        optimizer.zero_grad()
        loss.backward()
        moved = [*learning, *head.parameters()]
        average_gradients(moved)
        norm = torch.nn.utils.clip_grad_norm_(moved, settings.gradient_clip)
        factor = schedule(step, settings.warmup_steps, settings.masked_steps, settings.schedule)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * factor
        if math.isfinite(float(norm)):
            optimizer.step()
        losses.append(float(loss.item()))
        if rank() == 0 and (step + 1) % 20 == 0:
            log.info("masked words: step %d of %d: loss %.4f", step + 1, settings.masked_steps, losses[-1])
    return losses


def masked(text: TextTower, texts: Sequence[str], rng: np.random.Generator) -> tuple[dict[str, Tensor], Tensor]:
    """Tokens of texts with words masked, and (M, T) the words to guess, NOT_GUESSED elsewhere."""
    tokenizer: Any = text.tokenizer
    tokens = tokenizer(
        list(texts), padding=True, truncation=True, max_length=text.max_tokens, return_tensors="pt",
        return_special_tokens_mask=True,
    )  # fmt: skip
    ids_MT = tokens["input_ids"].numpy().copy()
    is_word_MT = tokens.pop("special_tokens_mask").numpy() == 0
    chance_MT, way_MT = rng.random(ids_MT.shape), rng.random(ids_MT.shape)
    is_guessed_MT = is_word_MT & (chance_MT < GUESSED)
    wanted_MT = np.where(is_guessed_MT, ids_MT, NOT_GUESSED)
    ids_MT[is_guessed_MT & (way_MT < MASKED)] = tokenizer.mask_token_id
    is_other_MT = is_guessed_MT & (way_MT >= MASKED) & (way_MT < MASKED + REPLACED)
    ids_MT[is_other_MT] = rng.integers(len(tokenizer), size=int(is_other_MT.sum()))
    device = text.mean_D.device
    shown = {name: value.to(device) for name, value in tokens.items()} | {
        "input_ids": torch.from_numpy(ids_MT).to(device)
    }
    return shown, torch.from_numpy(wanted_MT).to(device)
