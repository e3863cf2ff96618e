"""The conditional tabular GAN: a chain of columns that begins as a likelihood fit and then plays against a critic.

The generator draws column after column, each from a network over those before it, by Gumbel's noise: any dependence can
be said so, and the chain is fitted by likelihood first, where CTGAN begins from nothing and must find even the margins
by play. Then it plays WGAN-GP against a critic that sees whole rows (gan.py), the draws made differentiable by the
straight-through Gumbel softmax; what the play makes of it is kept where pairs of columns on rows apart say so.

Shapes: B rows, C columns, G given, K codes, X features; see table_generator.py.
Sources: Xu et al., CTGAN, NeurIPS 2019 (conditions, Gumbel softmax, WGAN-GP on mixed rows); Jang et al., Categorical
Reparameterization with Gumbel-Softmax, ICLR 2017; Gaussian copula as baseline: Patki et al., The Synthetic Data Vault,
DSAA 2016.
"""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from recsynth.seeds import sub_seed
from recsynth.synthesis.gan import contention, gaussian, mlp
from recsynth.synthesis.generator import GAN
from recsynth.synthesis.table_columns import Column, coded
from recsynth.synthesis.table_generator import TableGenerator, features, scores
from recsynth.synthesis.table_judge import pair_trends
from recsynth.synthesis.table_rows import PERSON
from recsynth.synthesis.table_settings import TableSettings

VALIDATE_EVERY, APART, LOOKS, SMOOTHING = 50, 0.15, 4, 1e-4


class _Chain(nn.Module):
    """A network for each drawn column over the features of those before it."""

    def __init__(self, columns: tuple[Column, ...], given: int, hidden: int) -> None:
        super().__init__()
        self.given = given
        self.tables = [torch.from_numpy(c.features_KW) for c in columns]
        widths = np.cumsum([1, *(t.shape[1] for t in self.tables)])
        self.starts = [int(w) for w in widths[given:-1]]
        self.heads = nn.ModuleList()
        for column, width in zip(columns[given:], self.starts, strict=True):
            head = mlp(width, hidden, len(column.shares), layers=1)
            last = head[-1]
            assert isinstance(last, nn.Linear)
            with torch.no_grad():
                last.weight.mul_(0.1)
                last.bias.copy_(torch.log(torch.tensor(column.shares) + SMOOTHING))
            self.heads.append(head)

    def loss(self, codes_BC: torch.Tensor, features_BX: torch.Tensor) -> torch.Tensor:
        """Mean negative log-likelihood of the drawn columns."""
        found = [
            functional.cross_entropy(head(features_BX[:, :start]), codes_BC[:, self.given + n])
            for n, (head, start) in enumerate(zip(self.heads, self.starts, strict=True))
        ]
        return torch.stack(found).sum()

    def forward(self, given_BX: torch.Tensor) -> torch.Tensor:
        """Features of drawn columns, hard draws that let gradients through; given_BX: features of those given."""
        before_BX, width = given_BX, given_BX.shape[1]
        for n, head in enumerate(self.heads):
            chosen_BK = functional.gumbel_softmax(head(before_BX), hard=True)
            before_BX = torch.cat([before_BX, chosen_BK @ self.tables[self.given + n]], 1)
        return before_BX[:, width:]


def fit_table(
    rows: pd.DataFrame, columns: tuple[Column, ...], given: int, settings: TableSettings, seed: int
) -> TableGenerator:
    """Fit the chain to rows that have a person each, the first `given` columns given.

    Rows of one person are never both learned from and judged by. Bound: the rows.
    """
    codes_BC, people_B = coded(rows, columns), rows[PERSON].to_numpy()
    apart_B = _apart(people_B, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        chain = _Chain(columns, given, settings.hidden_size)
        _by_likelihood(chain, codes_BC, apart_B, columns, settings)
        baseline = _copula(columns, given, codes_BC)
        kept, found = _by_play(chain, codes_BC, apart_B, columns, settings, seed)
    arrays = _arrays(chain, kept) | baseline | {"play": np.array(found, np.float32)}
    return TableGenerator(columns, given, arrays)


def _by_likelihood(
    chain: _Chain, codes_BC: np.ndarray, apart_B: np.ndarray, columns: tuple[Column, ...], settings: TableSettings
) -> None:
    """Descend the likelihood; the weights of the step that is best on the rows apart are kept."""
    codes, read = torch.from_numpy(codes_BC), torch.from_numpy(features(columns, codes_BC))
    learn, held = (torch.from_numpy(np.flatnonzero(part)) for part in (~apart_B, apart_B))
    optimizer = torch.optim.AdamW(chain.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    best, kept = float("inf"), deepcopy(chain.state_dict())
    for step in range(settings.steps + 1):
        if step % VALIDATE_EVERY == 0:
            with torch.no_grad():
                now = float(chain.loss(codes[held], read[held]))
            if now < best:
                best, kept = now, deepcopy(chain.state_dict())
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * (1 - step / (settings.steps + 1))
        rows = learn[torch.randint(len(learn), (settings.batch_size,))]
        optimizer.zero_grad()
        chain.loss(codes[rows], read[rows]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    chain.load_state_dict(kept)


def _by_play(
    chain: _Chain, codes_BC: np.ndarray, apart_B: np.ndarray, columns: tuple[Column, ...], settings: TableSettings,
    seed: int,
) -> tuple[dict[str, torch.Tensor], list[float]]:  # fmt: skip
    """Weights of the best look at the play, the first being before it, and what each look found on the rows apart."""

    def look(weights: dict[str, torch.Tensor]) -> float:
        now = TableGenerator(columns, chain.given, _arrays(chain, weights))
        given_BG = np.repeat(codes_BC[apart_B, : chain.given], settings.looks_at, axis=0)
        drawn = now.draw(GAN, given_BG, np.random.default_rng(sub_seed(seed, "look")))
        return pair_trends(drawn, codes_BC[apart_B], columns)[0]

    kept = {name: p.detach().clone() for name, p in chain.named_parameters()}
    found = [look(kept)]
    width = chain.starts[0]
    read = torch.from_numpy(features(columns, codes_BC[~apart_B]))
    real = torch.cat([read[:, width:], read[:, :width]], 1)
    every = max(1, settings.gan.steps // LOOKS)
    for step, averaged in enumerate(contention(chain, real, width, settings.gan), 1):
        if step % every == 0:
            weights = dict(zip(kept, averaged, strict=True))
            found.append(look(weights))
            if found[-1] > max(found[:-1]):
                kept = {name: mean.clone() for name, mean in weights.items()}
    return kept, found


def _copula(columns: tuple[Column, ...], given: int, codes_BC: np.ndarray) -> dict[str, np.ndarray]:
    """The Gaussian copula of the drawn columns given the others."""
    scores_BC = scores(columns, codes_BC)
    weight_XD, bias_D = gaussian(scores_BC[:, given:], scores_BC[:, :given])
    return {"gaussian.weight": weight_XD.T.copy(), "gaussian.bias": bias_D}


def _arrays(chain: _Chain, weights: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: weights[name].detach().numpy().copy() for name, _ in chain.named_parameters()}


def _apart(people_B: np.ndarray, seed: int) -> np.ndarray:
    """(B,) rows of some people, at least one of whom is on each side."""
    known, of_B = np.unique(people_B, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(known))
    chosen = np.isin(np.arange(len(known)), order[: max(1, int(APART * len(known)))])
    apart_B: np.ndarray = chosen[of_B]
    return apart_B
