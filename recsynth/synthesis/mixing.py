"""How much a taste and how much the items so far decide the next item: fitted to people that neither learned from."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch

from recsynth.synthesis.draw import BINS, bins

STEPS, BATCH, LEARNING_RATE = 100, 256, 0.05


def fit_mix(rows_UM: sp.csr_matrix, logits_UM: np.ndarray, weights_MM: sp.csr_matrix, seed: int) -> np.ndarray:
    """a, c and log eps (3, A) that make the rest of a history most likely, given a random part of it.

    rows_UM: users from whom logits' decoder and weights were not learned; those of one item say nothing. See
    draw.mixed for the formula; A = len(BINS) + 1.
    """
    mix_3A = torch.tensor([[1.0], [0.5], [-4.0]]).repeat(1, len(BINS) + 1).requires_grad_(True)
    optimizer, rng = torch.optim.Adam([mix_3A], LEARNING_RATE), np.random.default_rng(seed)
    sizes_U = np.diff(rows_UM.indptr)
    able = np.flatnonzero(sizes_U >= 2)
    for _ in range(STEPS if len(able) else 0):
        users = rng.choice(able, BATCH)
        part_BM, rest_BM = split(rows_UM[users], rng)
        loss = _loss(mix_3A, torch.from_numpy(logits_UM[users]), part_BM, rest_BM, weights_MM)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return mix_3A.detach().numpy()


def split(rows_BM: sp.csr_matrix, rng: np.random.Generator) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Each history in two by chance, a random number of items in the first, one at least in the second."""
    sizes_B = np.diff(rows_BM.indptr)
    first_B = np.minimum(np.floor(rng.random(len(sizes_B)) ** 1.5 * sizes_B), sizes_B - 1)
    owner = np.repeat(np.arange(len(sizes_B)), sizes_B)
    order = np.lexsort((rng.random(rows_BM.nnz), owner))
    place = np.empty(rows_BM.nnz, int)
    place[order] = np.arange(rows_BM.nnz) - np.repeat(rows_BM.indptr[:-1], sizes_B)
    is_first = place < first_B[owner]
    part_BM, rest_BM = (
        sp.csr_matrix((np.ones(keep.sum(), np.float32), (owner[keep], rows_BM.indices[keep])), shape=rows_BM.shape)
        for keep in (is_first, ~is_first)
    )
    return part_BM, rest_BM


def _loss(
    mix_3A: torch.Tensor,
    logits_BM: torch.Tensor,
    part_BM: sp.csr_matrix,
    rest_BM: sp.csr_matrix,
    weights_MM: sp.csr_matrix,
) -> torch.Tensor:
    """Mean negative log-likelihood of an item of the rest; the twin of draw.mixed in torch, for its gradient."""
    drawn_B = np.diff(part_BM.indptr)
    taste_B, item_B, floor_B = mix_3A[:, torch.from_numpy(bins(drawn_B, BINS))]
    item_B = item_B * torch.from_numpy((drawn_B > 0).astype(np.float32))
    pull_BM = torch.from_numpy((part_BM @ weights_MM).toarray()).clamp(min=0)
    mixed_BM = taste_B[:, None] * logits_BM + item_B[:, None] * torch.log(floor_B.exp()[:, None] + pull_BM)
    mixed_BM = mixed_BM.masked_fill(torch.from_numpy(part_BM.toarray() > 0), -1e9)
    rest = torch.from_numpy(rest_BM.toarray())
    return -((torch.log_softmax(mixed_BM, 1) * rest).sum(1) / rest.sum(1)).mean()
