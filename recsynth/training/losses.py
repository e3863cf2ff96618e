"""Losses over users and sampled items.

Shapes: B users, M sampled items. logits_BM are scale * <u_i, v_j> + bias; positives_BM is R's sign, 1 or 0;
allowed_BM is False where a pair says nothing: a known item that is no target here (a false negative).
Apart from LOSSES stands linear_autoencoder, which reads the items' vectors themselves, (M, D), and no user's.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def sampled_softmax(logits_BM: Tensor, positives_BM: Tensor, allowed_BM: Tensor, log_q_M: Tensor) -> Tensor:
    """Mean over positives of -log softmax(logits - log q), the other positives of the user masked out.

    q_j is the chance with which item j was sampled: subtracting its logarithm makes the sample stand for
    the catalogue (Bengio and Senecal 2008; Yi et al., RecSys 2019).

    >>> import torch
    >>> even, one = torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])
    >>> round(sampled_softmax(even, one, one >= 0, torch.zeros(2)).exp().item(), 4)
    2.0
    """
    corrected_BM = (logits_BM - log_q_M).masked_fill(~allowed_BM, -1e9)
    negatives_BM = corrected_BM.masked_fill(positives_BM > 0, -1e9).logsumexp(-1, keepdim=True)
    # Each positive competes with the negatives alone: log(1 + exp(negatives - positive)).
    each_BM = F.softplus(negatives_BM - corrected_BM)
    return (each_BM * positives_BM).sum() / positives_BM.sum().clamp(min=1)


def binary_cross_entropy(logits_BM: Tensor, positives_BM: Tensor, allowed_BM: Tensor, log_q_M: Tensor) -> Tensor:
    """Mean of -log p for positives plus the mean of -log(1 - p) for negatives, each half of the loss.

    Weighing both halves alike keeps the many zeros of R from drowning its ones; log_q_M is not used.
    """
    each_BM = F.binary_cross_entropy_with_logits(logits_BM, positives_BM, reduction="none")
    return _halves(each_BM, positives_BM, allowed_BM)


def mean_squared_error(logits_BM: Tensor, positives_BM: Tensor, allowed_BM: Tensor, log_q_M: Tensor) -> Tensor:
    """Mean of (1 - p)^2 for positives plus the mean of p^2 for negatives, each half; log_q_M is not used."""
    return _halves((logits_BM.sigmoid() - positives_BM) ** 2, positives_BM, allowed_BM)


def linear_autoencoder(items_MD: Tensor, positives_BM: Tensor) -> Tensor:
    """Mean of (x_hat - y_hat)^2, where Y = X A A^T - X and each row of X and of Y is brought to unit length.

    A are the items' unit vectors, X the users' interactions with them: an item is predicted by a user's other
    items, for <a_j, a_j> - 1 = 0, and so texts come close that the same users want. A user with a single sampled
    item says nothing: many items a step are wanted. Source: beeFormer, Vancura et al., RecSys 2024, after ELSA,
    RecSys 2022; their code also cuts Y at zero from below, the paper's formula does not.

    >>> import torch
    >>> x = torch.tensor([[1.0, 1.0]])
    >>> linear_autoencoder(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), x).item()
    0.0
    """
    predicted_BM = positives_BM @ items_MD @ items_MD.T - positives_BM
    return F.mse_loss(F.normalize(predicted_BM, dim=-1), F.normalize(positives_BM, dim=-1))


def _halves(each_BM: Tensor, positives_BM: Tensor, allowed_BM: Tensor) -> Tensor:
    negatives_BM = (1 - positives_BM) * allowed_BM
    ones = (each_BM * positives_BM).sum() / positives_BM.sum().clamp(min=1)
    zeros = (each_BM * negatives_BM).sum() / negatives_BM.sum().clamp(min=1)
    return (ones + zeros) / 2


LOSSES: dict[str, Loss] = {
    "sampled_softmax": sampled_softmax,
    "binary_cross_entropy": binary_cross_entropy,
    "mean_squared_error": mean_squared_error,
}
