"""What is measured of one user's list, and of all lists of a group: plain Python over blocks of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from recsynth.measure.intervals import bootstrap_mean
from recsynth.measure.ranking import hit_rate, ndcg, precision, recall, reciprocal_rank
from recsynth.measure.variety import coverage, gini, intra_list_diversity, novelty
from recsynth.model.vectors import load_vectors

K = 10
ACCURACY = {"ndcg": ndcg, "recall": recall, "precision": precision, "mrr": reciprocal_rank, "hit_rate": hit_rate}
OF_A_LIST = (*ACCURACY, "diversity", "novelty_bits", "own_proposals")
POPULARITY, COLD_ITEMS, STRANGERS = "popularity", "cold_items", "strangers"

JUDGED = f"model string, view string, user_id string, top array<string>, {', '.join(f'{m} double' for m in OF_A_LIST)}"
FIGURES = "model string, `group` string, metric string, value double, low double, high double, n long"
_FIGURE_COLUMNS = ["model", "group", "metric", "value", "low", "high", "n"]
_JUDGED_COLUMNS = ["model", "view", "user_id", "top", *OF_A_LIST]


@dataclass(frozen=True)
class Catalogue:
    """The items that can be shown with the number of users who have each, all of them by popularity, the cold ones.

    brands: brand of each item that has one.
    """

    holders: dict[str, int]
    popular: Sequence[str]
    cold: frozenset[str]
    users: int
    brands: dict[str, str] = field(default_factory=dict)


def judge(vectors: str, catalogue: Catalogue) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The mapInPandas function from (model, user, items, is_own, wanted, cold, bought) to rows of JUDGED."""

    def judged(blocks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        ids, matrix_MD = load_vectors(vectors)
        index = {item: i for i, item in enumerate(ids)}
        for block in blocks:
            rows = [row for user in block.itertuples() for row in views(user, catalogue, index, matrix_MD)]
            yield pd.DataFrame(rows, columns=_JUDGED_COLUMNS)

    return judged


def views(
    user: Any, catalogue: Catalogue, index: dict[str, int], matrix_MD: np.ndarray
) -> Iterator[tuple[object, ...]]:
    """A row of JUDGED for each view under which something is relevant to the user.

    `all`: every purchase; `new`: what the user had never bought, and the list without the rest; `cold_items`:
    purchases of items that few have.
    """
    items = catalogue.popular if user.model == POPULARITY else _list(user.items)
    is_own = dict(zip(items, _list(user.is_own), strict=False))
    wanted, bought, cold = set(user.wanted), set(user.bought), set(user.cold)
    first, unseen = list(items[:K]), list(islice((i for i in items if i not in bought), K))
    for view, top, relevant in (
        ("all", first, wanted), ("new", unseen, wanted - bought), (COLD_ITEMS, first, cold),
    ):  # fmt: skip
        if relevant:
            accuracy = (metric(top, relevant, K) for metric in ACCURACY.values())
            own = float(np.mean([is_own.get(i, True) for i in top])) if top else 1.0
            diversity = intra_list_diversity(matrix_MD[[index[i] for i in top if i in index]])
            known = novelty(np.array([catalogue.holders.get(i, 0) for i in top]), catalogue.users)
            yield (user.model, view, user.user_id, top, *accuracy, diversity, known, own)


def figures(catalogue: Catalogue, resamples: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The applyInPandas function from the judged lists of one model and group to rows of FIGURES."""

    def measured(rows: pd.DataFrame) -> pd.DataFrame:
        rows = rows.sort_values("user_id")
        model, group = rows["model"].iloc[0], rows["group"].iloc[0]
        made: list[tuple[object, ...]] = [
            (model, group, metric, rows[metric].mean(), *bootstrap_mean(rows[metric].to_numpy(), resamples), len(rows))
            for metric in OF_A_LIST
        ]
        counts = exposure(rows["top"], catalogue.cold if group == COLD_ITEMS else catalogue.holders)
        if group == STRANGERS:  # one list for all of them: what it covers says nothing
            return pd.DataFrame(made, columns=_FIGURE_COLUMNS)
        # No interval: a resample of users shows fewer items than the users do, so it would lie beside the figure.
        for metric, value in (("coverage", coverage(counts)), ("exposure_gini", gini(counts))):
            made.append((model, group, metric, value, None, None, len(counts)))
        if group != COLD_ITEMS:
            fair = fairness(rows["top"], catalogue)
            made += [(model, group, metric, value, None, None, len(rows)) for metric, value in fair.items()]
        return pd.DataFrame(made, columns=_FIGURE_COLUMNS)

    return measured


def exposure(lists: pd.Series, items: Any) -> np.ndarray:
    """How many of the lists show each of the items."""
    shown = Counter(item for top in lists for item in top)
    return np.array([shown[item] for item in items], float)


def fairness(lists: pd.Series, catalogue: Catalogue) -> dict[str, float]:
    """What the rarer half of the catalogue and the brands have of the places in lists.

    rare_exposure: share of all places that items of the half with fewer users hold; 0.5 were blind to popularity.
    brand_exposure_gini: inequality between brands in places for each item that they have in the catalogue, 0: none;
    only where there are two brands.
    """
    order = sorted(catalogue.holders, key=lambda item: (catalogue.holders[item], item))
    counts = exposure(lists, order)
    found = {"rare_exposure": float(counts[: len(order) // 2].sum() / max(counts.sum(), 1.0))}
    brands = pd.Series([catalogue.brands.get(item) for item in order], dtype=object)
    of_brand = pd.Series(counts).groupby(brands).mean()  # what has no brand is in no group
    if len(of_brand) > 1:
        found["brand_exposure_gini"] = gini(of_brand.to_numpy())
    return found


def _list(values: Any) -> list[Any]:
    return [] if values is None else list(values)
