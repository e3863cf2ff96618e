"""The towers of p_ij = sigmoid(scale * <u_i, v_j> + bias).

Shapes: B users, L history places, M texts, T tokens, D = embedding_size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel, PreTrainedTokenizerBase

EVENT_TYPES = ("padding", "search", "view", "click", "cart", "purchase", "rating", "comment", "share")
# What an event says before anything is learned: about as R weighs it, on the scale of attention logits.
_TYPE_LOGITS = (0.0, -0.5, -1.5, -1.0, -0.3, 0.0, -0.5, -0.5, -0.5)
_HALF_LIFE_DAYS = 90.0


class TextTower(nn.Module):
    """A text through the pretrained encoder: mean of its token states, centred, of unit length."""

    def __init__(self, encoder: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> None:
        super().__init__()
        self.encoder, self.tokenizer, self.max_tokens = encoder, tokenizer, max_tokens
        self.embedding_size = int(encoder.config.hidden_size)
        # Sentence encoders put all of a shop's texts into one corner; what they share tells nothing apart.
        self.mean_D = nn.Buffer(torch.zeros(self.embedding_size))

    def pooled(self, texts: Sequence[str]) -> Tensor:
        """Mean token states (M, D), neither centred nor normalised."""
        tokens = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        ).to(self.mean_D.device)
        states_MTD = self.encoder(**tokens).last_hidden_state
        mask_MT1 = tokens["attention_mask"].unsqueeze(-1).to(states_MTD.dtype)
        pooled_MD: Tensor = (states_MTD * mask_MT1).sum(1) / mask_MT1.sum(1)
        return pooled_MD

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors (M, D)."""
        return F.normalize(self.pooled(texts) - self.mean_D, dim=-1)

    @torch.no_grad()
    def encode(self, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
        """Unit vectors (M, D) in evaluation mode; batches are sorted by length, the result is not."""
        return self._in_batches(texts, batch_size, self.forward)

    @torch.no_grad()
    def encode_plain(self, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
        """`pooled` of any number of texts (M, D) in evaluation mode."""
        return self._in_batches(texts, batch_size, self.pooled)

    def centre_on(self, plain_MD: np.ndarray) -> None:
        """Take the mean of these texts' `encode_plain` as the centre."""
        self.mean_D.copy_(torch.from_numpy(plain_MD.mean(0)))

    def _in_batches(self, texts: Sequence[str], batch_size: int, function: nn.Module | object) -> np.ndarray:
        was_training = self.training
        self.eval()
        vectors_MD = np.empty((len(texts), self.embedding_size), np.float32)
        order = np.argsort([len(t) for t in texts], kind="stable")
        for start in range(0, len(texts), batch_size):
            rows = order[start : start + batch_size]
            vectors_MD[rows] = function([texts[i] for i in rows]).float().cpu().numpy()  # type: ignore[operator]
        self.train(was_training)
        return vectors_MD


class UserTower(nn.Module):
    """A user as an attention pool over the vectors of the last items and searches.

    Attention logit of a place = type weight - rate * age + <query, vector>; the pooled vector passes a
    residual map. Untrained, it is the mean of the history weighed by event type and halved every 90 days.
    """

    def __init__(self, embedding_size: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.type_logits = nn.Parameter(torch.tensor(_TYPE_LOGITS))
        self.log_rate = nn.Parameter(torch.tensor(float(np.log(np.log(2) / _HALF_LIFE_DAYS))))
        self.query_D = nn.Parameter(torch.zeros(embedding_size))
        self.residual = nn.Linear(embedding_size, embedding_size)
        nn.init.zeros_(self.residual.weight)
        nn.init.zeros_(self.residual.bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors_BLD: Tensor, types_BL: Tensor, ages_BL: Tensor) -> Tensor:
        """Unit vectors (B, D); places of type 0 are padding, padding alone is pooled to the residual's bias."""
        is_event_BL = types_BL > 0
        logits_BL = self.type_logits[types_BL] - self.log_rate.exp() * ages_BL + vectors_BLD @ self.query_D
        weights_BL = logits_BL.masked_fill(~is_event_BL, -1e9).softmax(-1) * is_event_BL
        pooled_BD = self.dropout(torch.einsum("bl,bld->bd", weights_BL, vectors_BLD))
        return F.normalize(pooled_BD + self.residual(pooled_BD), dim=-1, eps=1e-6)


class MatchModel(nn.Module):
    """Both towers and the logistic link."""

    def __init__(self, text: TextTower, user: UserTower) -> None:
        super().__init__()
        self.text, self.user = text, user
        self.log_scale = nn.Parameter(torch.tensor(float(np.log(10.0))))
        self.bias = nn.Parameter(torch.tensor(-4.0))

    def logits(self, users_BD: Tensor, items_MD: Tensor) -> Tensor:
        """scale * <u_i, v_j> + bias, (B, M)."""
        return self.log_scale.exp() * users_BD @ items_MD.T + self.bias
