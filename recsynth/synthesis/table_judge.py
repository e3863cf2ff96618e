"""What synthetic rows are worth against real rows that nobody learned from: plain numpy and trees over codes.

Rows are judged as codes (table_columns.py): what is too rare to be told is one value on every side.
Shapes: B rows of a side, C columns of which the first G are given, K codes of a column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.neighbors import NearestNeighbors

from recsynth.measure.discrimination import auc
from recsynth.measure.synthesis import ks_complement, overlap
from recsynth.synthesis.discriminator import told_apart
from recsynth.synthesis.table_columns import Column

PAIR_BINS = 8

METRICS = {
    "shapes": ("fidelity", "mean over columns: KS complement of numbers, what shares of words have in common"),
    "shapes_least": ("fidelity", "the least of them"),
    "pairs": ("fidelity", "mean over pairs of columns: what their joint shares have in common, numbers in eight parts"),
    "pairs_least": ("fidelity", "the least of them"),
    "discriminator": ("fidelity", "AUC of a classifier that tells the rows from the hold-out"),
    "transfer": ("utility", "mean AUC on the hold-out of trees that learned each column from the rows' others"),
    "closest": ("privacy", "share of rows closer to a row learned from than to one held out, ties split"),
    "copied": ("privacy", "share of rows that equal one learned from, less that of those that equal one held out"),
    "membership": ("privacy", "AUC of who was learned from, by the distance to the closest row"),
}


@dataclass(frozen=True)
class Sides:
    """Codes of real rows: those learned from and those held out, as many of each."""

    learn_BC: np.ndarray
    held_BC: np.ndarray


def judged(rows_BC: np.ndarray, sides: Sides, columns: tuple[Column, ...], given: int, seed: int) -> dict[str, float]:
    """Every figure of METRICS of synthetic rows."""
    return likeness(rows_BC, sides.held_BC, columns, given, seed) | privacy(rows_BC, sides, columns)


def reference(sides: Sides, columns: tuple[Column, ...], given: int, seed: int) -> dict[str, float]:
    """The same of the rows learned from as if they were synthetic; of privacy, that of rows nobody learned from."""
    order = np.random.default_rng(seed).permutation(len(sides.held_BC))
    strangers_BC, others_BC = sides.held_BC[order[::2]], sides.held_BC[order[1::2]]
    learn_BC = sides.learn_BC[: len(others_BC)]
    of_strangers = privacy(strangers_BC, Sides(learn_BC, others_BC), columns)
    return likeness(sides.learn_BC, sides.held_BC, columns, given, seed) | of_strangers


def likeness(
    rows_BC: np.ndarray, held_BC: np.ndarray, columns: tuple[Column, ...], given: int, seed: int
) -> dict[str, float]:
    """Fidelity and use of rows, against those held out; of a single column there is no pair, and nothing to learn."""
    shapes = [column_shape(rows_BC[:, n], held_BC[:, n], c) for n, c in enumerate(columns) if n >= given]
    found = {"shapes": float(np.mean(shapes)), "shapes_least": min(shapes)}
    found["discriminator"] = told_apart(rows_BC, held_BC, seed)
    if len(columns) < 2:
        return found
    pairs, least = pair_trends(rows_BC, held_BC, columns)
    return found | {"pairs": pairs, "pairs_least": least, "transfer": transfer(rows_BC, held_BC, given, seed)}


def column_shape(ours_B: np.ndarray, theirs_B: np.ndarray, column: Column) -> float:
    """How like two samples of a column are: KS complement of a number, of words what their shares have in common."""
    if column.is_number:
        return ks_complement(ours_B, theirs_B)
    size = len(column.shares)
    return overlap(np.bincount(ours_B, minlength=size), np.bincount(theirs_B, minlength=size))


def pair_trends(ours_BC: np.ndarray, theirs_BC: np.ndarray, columns: Sequence[Column]) -> tuple[float, float]:
    """Mean and least over pairs of columns of what their joint shares have in common; NaN where there is no pair.

    Source: contingency similarity as SDMetrics reports it; numbers in PAIR_BINS parts of equal share.
    """
    coarse = [_coarse(c) for c in columns]
    found = []
    for a, b in combinations(range(len(columns)), 2):
        size = int(coarse[b].max()) + 1
        ours, theirs = (coarse[a][rows[:, a]] * size + coarse[b][rows[:, b]] for rows in (ours_BC, theirs_BC))
        cells = (int(coarse[a].max()) + 1) * size
        found.append(overlap(np.bincount(ours, minlength=cells), np.bincount(theirs, minlength=cells)))
    return (float(np.mean(found)), min(found)) if found else (float("nan"), float("nan"))


def transfer(rows_BC: np.ndarray, held_BC: np.ndarray, given: int, seed: int) -> float:
    """Mean AUC over the drawn columns of "more than the middle code" of held-out rows, learned from the others.

    NaN where no column can be asked: one that has a single side among the rows or the hold-out is left out.
    """
    found = []
    for n in range(given, rows_BC.shape[1]):
        middle = np.median(held_BC[:, n])
        wanted, truth = ((side[:, n] > middle).astype(int) for side in (rows_BC, held_BC))
        if min(len(set(wanted)), len(set(truth))) < 2:
            continue
        trees = HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=15, random_state=seed % 2**32)
        trees.fit(np.delete(rows_BC, n, 1), wanted)
        found.append(auc(trees.predict_proba(np.delete(held_BC, n, 1))[:, 1], truth)[0])
    return float(np.mean(found)) if found else float("nan")


def privacy(rows_BC: np.ndarray, sides: Sides, columns: tuple[Column, ...]) -> dict[str, float]:
    """Whether rows lie closer to those learned from than to those held out, from both ends; and how many are equal."""
    place: Callable[[np.ndarray], np.ndarray] = lambda codes_BC: np.concatenate(  # noqa: E731
        [_placed(c)[codes_BC[:, n]] for n, c in enumerate(columns)], axis=1
    )
    ours, learn, held = map(place, (rows_BC, sides.learn_BC, sides.held_BC))
    to_learn, to_held = _nearest(ours, learn), _nearest(ours, held)
    of_learn, of_held = _nearest(learn, ours), _nearest(held, ours)
    was_learned = np.repeat([1, 0], [len(of_learn), len(of_held)])
    return {
        "closest": float((to_learn < to_held).mean() + (to_learn == to_held).mean() / 2),
        "copied": float((to_learn == 0).mean() - (to_held == 0).mean()),
        "membership": auc(-np.concatenate([of_learn, of_held]), was_learned)[0],
    }


def _nearest(from_BX: np.ndarray, to_BX: np.ndarray) -> np.ndarray:
    found, _ = NearestNeighbors(n_neighbors=1, metric="manhattan").fit(to_BX).kneighbors(from_BX)
    # The same sum in another order is the same distance.
    rounded_B: np.ndarray = np.round(found[:, 0], 6)
    return rounded_B


def _coarse(column: Column) -> np.ndarray:
    """(K,) part of each code: of words themselves, of numbers one of PAIR_BINS, null alone."""
    codes = len(column.shares)
    if not column.is_number or codes <= PAIR_BINS:
        return np.arange(codes)
    shares = np.array(column.shares[:-1])
    middle = (np.cumsum(shares) - shares / 2) / max(shares.sum(), 1e-12)
    parts = np.minimum((middle * PAIR_BINS).astype(int), PAIR_BINS - 1)
    coarse: np.ndarray = np.unique(np.append(parts, PAIR_BINS), return_inverse=True)[1]
    return coarse


def _placed(column: Column) -> np.ndarray:
    """(K, X) where a code lies: words apart from each other by one, numbers by their share, null by one from all."""
    codes = len(column.shares)
    if not column.is_number:
        return np.eye(codes) / 2
    shares = np.array(column.shares[:-1])
    along = np.append(np.cumsum(shares) - shares / 2, 0.5)
    return np.column_stack([along, np.eye(codes)[:, -1] / 2])
