"""From a synthetic user's items and visits to events that agree: what was bought was looked at, if the shop tells.

Each visit takes up items of the user's own, those not yet taken up first in the share that brings all of them in by the
last; of a type of event with a count of c the first c of them have one, so that what was bought was carted and what was
carted seen as far as the counts say so. A search stands before the item that it found, a rating after the purchase.

Shapes: V visits of a user, M items of the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recsynth.synthesis.table_rows import ON_ITEMS, SEARCH

BEFORE_BUYING = ("view", "click", "cart")
BUY, RATE = "purchase", "rating"
DAY = 86_400


@dataclass(frozen=True)
class Habits:
    """What the learning half does beside its visits.

    pauses: by type of event, quantiles of the seconds since the event before it in a visit; shares: quantiles of a
    line's units over the mean of its visit; ratings: how many gave each of 1 to 5 stars; usual: what is done with an
    item that no count asks for.
    """

    pauses: Mapping[str, np.ndarray]
    shares: np.ndarray
    ratings: np.ndarray
    usual: str


class Visit(NamedTuple):
    """Its second of the day it begins with, what counts say, and the units of a purchase."""

    begins: int
    counts: Mapping[str, int]
    units: float


class Step(NamedTuple):
    """An event within a visit: its number of the visit, second of the day, and what it is."""

    visit: int
    second: int
    event_type: str
    item: int | None
    query: str | None = None
    quantity: int | None = None
    rating: float | None = None


def path(
    items: np.ndarray, visits: Sequence[Visit], queries: Mapping[int, Sequence[str]], habits: Habits,
    rng: np.random.Generator,
) -> list[Step]:  # fmt: skip
    """The events of a user who has the items (numbers) and makes the visits; every item has one at least.

    queries: what people search for that leads to an item.
    """
    fresh, seen, bought = rng.permutation(items).tolist(), list[int](), list[int]()
    wanted = np.array([max((v.counts.get(t, 0) for t in (*BEFORE_BUYING, BUY)), default=0) for v in visits])
    wanted = _enough(wanted, len(items), rng)
    steps: list[Step] = []
    for number, visit in enumerate(visits):
        rest = int(wanted[number:].sum())
        new = min(len(fresh), int(np.ceil(len(fresh) * wanted[number] / rest)) if rest else 0)
        old = rng.permutation(seen)[: max(0, wanted[number] - new)].tolist() if seen else []
        taken = [fresh.pop() for _ in range(new)] + old
        steps += _visit(number, visit, [taken[n] for n in rng.permutation(len(taken))], bought, queries, habits, rng)
        seen += [item for item in taken if item not in seen]
    return steps


def _enough(wanted_V: np.ndarray, items: int, rng: np.random.Generator) -> np.ndarray:
    """Items of each visit, no more than there are, more where all of them together take up too few."""
    wanted_V = np.minimum(wanted_V, items)
    missing = items - int(wanted_V.sum())
    if missing > 0:
        chances_V = np.maximum(wanted_V, 0.1) / np.maximum(wanted_V, 0.1).sum()
        wanted_V = wanted_V + rng.multinomial(missing, chances_V)
    return wanted_V


def _visit(
    number: int, visit: Visit, taken: list[int], bought: list[int], queries: Mapping[int, Sequence[str]],
    habits: Habits, rng: np.random.Generator,
) -> list[Step]:  # fmt: skip
    done: list[tuple[str, int | None, str | None]] = []
    searches = visit.counts.get(SEARCH, 0)
    counts = {t: min(visit.counts.get(t, 0), len(taken)) for t in ON_ITEMS}
    # What no count of this visit asks for is done as the shop's people do most.
    if len(taken) > max(counts[t] for t in (*BEFORE_BUYING, BUY)):
        counts[habits.usual] = len(taken)
    for place, item in enumerate(taken):
        if searches and item in queries:
            done.append((SEARCH, None, queries[item][int(rng.integers(len(queries[item])))]))
            searches -= 1
        done += [(t, item, None) for t in BEFORE_BUYING if place < counts[t]]
    done += [(BUY, item, None) for item in taken[: counts[BUY]]]
    bought += [item for item in taken[: counts[BUY]] if item not in bought]
    rated = rng.permutation(bought or taken)[: visit.counts.get(RATE, 0)]
    done += [(RATE, int(item), None) for item in rated]
    second, steps = visit.begins, []
    for n, (event_type, of, query) in enumerate(done):
        if n:
            second += int(_drawn(habits.pauses[event_type], rng))
        quantity = max(1, round(visit.units * _drawn(habits.shares, rng))) if event_type == BUY else None
        stars = float(1 + rng.choice(len(habits.ratings), p=habits.ratings)) if event_type == RATE else None
        steps.append(Step(number, min(second, DAY - 1), event_type, of, query, quantity, stars))
    return steps


def _drawn(quantiles: np.ndarray, rng: np.random.Generator) -> float:
    return float(np.interp(rng.random() * (len(quantiles) - 1), np.arange(len(quantiles)), quantiles))
