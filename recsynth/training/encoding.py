"""The texts of a step through the encoder, within the memory there is: whole, or chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recsynth.model.precision import has_bfloat16
from recsynth.model.towers import TextTower
from recsynth.training.settings import TrainingSettings


class TextEncoding:
    """Unit vectors of a step's texts, and after the loss's backward pass their share of the gradients.

    With `gradient_chunk` (gradient caching, Gao et al., RepL4NLP 2021) texts are encoded in chunks, of like length
    so that padding is little: first without a graph; then, once the loss has left its gradient at the vectors,
    again with one, a chunk at a time and with the same dropout. The gradients are those of the whole, the memory
    is a chunk's, the time is half as much again.
    """

    def __init__(self, text: TextTower, settings: TrainingSettings) -> None:
        self.text, self.size = text, settings.gradient_chunk
        self.is_bf16 = settings.mixed_precision and has_bfloat16(text.mean_D.device)
        self.chunks: list[tuple[np.ndarray, list[str], _Dropout]] = []
        self.cached = torch.zeros(0)
        if settings.gradient_checkpointing:
            # Reentrant, it would need inputs that learn, and token numbers do not.
            encoder: Any = text.encoder
            encoder.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})

    def vectors(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors (M, D) that the loss may differentiate; `backward` carries that on to the encoder."""
        self.chunks = []
        if not self.size:
            return self._encode(list(texts))
        cached_MD = torch.zeros(len(texts), self.text.embedding_size, device=self.text.mean_D.device)
        order = np.argsort([len(t) for t in texts], kind="stable")
        for start in range(0, len(texts), self.size):
            rows = order[start : start + self.size]
            chunk = [texts[i] for i in rows]
            self.chunks.append((rows, chunk, _Dropout(cached_MD.device)))
            with torch.no_grad():
                cached_MD[torch.from_numpy(rows)] = self._encode(chunk)
        self.cached = cached_MD.requires_grad_()
        return self.cached

    def backward(self) -> None:
        """To be called after the loss's own backward pass; without chunks there is nothing left to do."""
        chunks, self.chunks = self.chunks, []
        if not chunks or self.cached.grad is None:
            return
        for rows, chunk, dropout in chunks:
            with dropout.again():
                vectors_CD = self._encode(chunk)
            vectors_CD.backward(self.cached.grad[torch.from_numpy(rows)])  # type: ignore[no-untyped-call]

    def _encode(self, texts: list[str]) -> Tensor:
        # Casts that autocast keeps from the pass without a graph would cut the next: each pass has its own block.
        with torch.autocast(self.text.mean_D.device.type, torch.bfloat16, enabled=self.is_bf16):
            vectors_MD: Tensor = self.text(texts)
        return vectors_MD.float()


class _Dropout:
    """The state of the random numbers at one moment, to be gone through once more."""

    def __init__(self, device: torch.device) -> None:
        self.devices = [torch.cuda.current_device()] if device.type == "cuda" else []
        self.cpu = torch.get_rng_state()
        self.gpus = [torch.cuda.get_rng_state(d) for d in self.devices]

    @contextmanager
    def again(self) -> Iterator[None]:
        with torch.random.fork_rng(self.devices):
            torch.set_rng_state(self.cpu)
            for number, state in zip(self.devices, self.gpus, strict=True):
                torch.cuda.set_rng_state(state, number)
            yield
