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
    line's units over the mean of its visit; ratings: share of each of 1 to 5 stars; usual: what is done with an item
    that no count asks for; at_once: share of purchases that follow another event on the item, the others end the visit;
    opening: share of searches that begin one.
    """

    pauses: Mapping[str, np.ndarray]
    shares: np.ndarray
    ratings: np.ndarray
    usual: str
    at_once: float
    opening: float


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
        steps += _visit(number, visit, _some(taken, len(taken), rng), bought, queries, habits, rng)
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
    """The steps of a visit that takes up items, those first on which most is done; `bought` grows by its orders."""
    counts = {t: min(visit.counts.get(t, 0), len(taken)) for t in ON_ITEMS}
    # What no count of this visit asks for is done as the shop's people do most.
    if len(taken) > max(counts[t] for t in (*BEFORE_BUYING, BUY)):
        counts[habits.usual] = len(taken)
    rank = {item: n for n, item in enumerate(taken)}
    stars = visit.counts.get(RATE, 0)
    done: list[tuple[str, int | None, str | None]] = [(RATE, item, None) for item in _some(bought, stars, rng)]
    is_rated = len(done)
    searches = _some([n for n in range(len(taken)) if taken[n] in queries], visit.counts.get(SEARCH, 0), rng)
    searched = {taken[n] for n in searches}
    opening = {item for item in searched if rng.random() < habits.opening}
    looked_at = sorted(taken, key=lambda item: (item not in opening, rng.random()))
    later: list[tuple[str, int | None, str | None]] = []
    for item in looked_at:
        if item in searched:
            done.append((SEARCH, None, queries[item][int(rng.integers(len(queries[item])))]))
        done += [(t, item, None) for t in BEFORE_BUYING if rank[item] < counts[t]]
        if rank[item] < counts[BUY]:
            (done if rng.random() < habits.at_once else later).append((BUY, item, None))
    done += later
    orders = [item for event_type, item, _ in done if event_type == BUY and item is not None]
    bought += [item for item in orders if item not in bought]
    if not is_rated:
        done += [(RATE, item, None) for item in _some(orders or taken, stars, rng)]
    return _timed(number, visit, done, habits, rng)


def _timed(
    number: int, visit: Visit, done: Sequence[tuple[str, int | None, str | None]], habits: Habits,
    rng: np.random.Generator,
) -> list[Step]:  # fmt: skip
    second, steps = visit.begins, []
    for n, (event_type, item, query) in enumerate(done):
        if n:
            second += int(_drawn(habits.pauses[event_type], rng)) if event_type in habits.pauses else 0
        quantity = max(1, round(visit.units * _drawn(habits.shares, rng))) if event_type == BUY else None
        stars = float(1 + rng.choice(len(habits.ratings), p=habits.ratings)) if event_type == RATE else None
        steps.append(Step(number, min(second, DAY - 1), event_type, item, query, quantity, stars))
    return steps


def _some(of: list[int], number: int, rng: np.random.Generator) -> list[int]:
    """At most so many of them, at random."""
    return [of[n] for n in rng.permutation(len(of))[:number]]


def _drawn(quantiles: np.ndarray, rng: np.random.Generator) -> float:
    return float(np.interp(rng.random() * (len(quantiles) - 1), np.arange(len(quantiles)), quantiles))
