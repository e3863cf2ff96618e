"""The judge of search results: figures by hand, honest in time, and what is left out is counted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from math import log2
from typing import Any

import pytest
from pyspark.sql import SparkSession

from recsynth.evaluation.judge_search import judge_search
from recsynth.settings import Settings
from recsynth.tables.gold import ITEM_DEMAND, QUERY_ITEMS
from recsynth.tables.output import SEARCH_RESULTS
from tests.rows import events, night, table

AS_OF = date(2024, 5, 1)
CUTOFF = datetime(2024, 5, 1, tzinfo=UTC)
SETTINGS = {"evaluation": {"days": 7, "rare_query_sessions": 2, "resamples": 100}}
RESULTS = {"mug": ["a", "b", "c"], "lamp": ["d"]}
SECOND = 1 / log2(3)


def at(days: float, minutes: float = 0) -> datetime:
    return CUTOFF + timedelta(days=days, minutes=minutes)


def search(user: str, query: str, days: float, *chosen: tuple[str, str]) -> list[tuple[Any, ...]]:
    """A search and what was taken up after it, a minute apart."""
    led = [(user, item, kind, at(days, n + 1)) for n, (kind, item) in enumerate(chosen)]
    return [(user, None, "search", at(days), None, query), *led]


def judged(spark: SparkSession, later: list[tuple[Any, ...]]) -> dict[tuple[str, str, str], Any]:
    before = [("old", item, "view", at(-3)) for item in "abcd"]
    results = [{"query": q, "rank": n, "item_id": i} for q, items in RESULTS.items() for n, i in enumerate(items, 1)]
    chosen = [("mug", "b", 2.0, 9), ("mug", "a", 1.0, 9), ("lamp", "d", 1.0, 2)]
    demand = [{"cutoff": at(-14), "item_id": "b", "demand_28": 99.0}]
    demand += [{"cutoff": CUTOFF, "item_id": i, "demand_28": float(n)} for n, i in enumerate("abcd")]
    found = judge_search(
        events(spark, [*before, *later]), table(spark, SEARCH_RESULTS, results),
        table(spark, QUERY_ITEMS, [
            {"query": q, "item_id": i, "weight": w, "query_sessions": n} for q, i, w, n in chosen
        ]),
        table(spark, ITEM_DEMAND, demand), night(AS_OF, Settings.model_validate(SETTINGS)),
    )  # fmt: skip
    return {(r.metric, r.model, r.segment): r for r in found.collect()}


def test_every_figure_is_arithmetic(spark: SparkSession) -> None:
    found = judged(spark, [
        *search("u", "  MUG ", 1, ("click", "b"), ("view", "c")),
        *search("u", "lamp", 2, ("purchase", "d")),
        *search("v", "mug", 3, ("cart", "a")),
        *search("v", "vase", 4, ("click", "a")),
        *search("w", "mug", 5),
    ])  # fmt: skip
    # u finds b second and d first, the mean of both; v finds a first. w took nothing up, a vase has no results.
    ours = found["ndcg@10", "recsynth", "all"]
    assert ours.value == pytest.approx(((SECOND + 1) / 2 + 1) / 2)
    assert ours["count"] == 2
    # What led from the query so far: [b, a] and [d]; most wanted: [d, c, b, a], as of tonight and not before.
    assert found["ndcg@10", "chosen before", "all"].value == pytest.approx((1 + SECOND) / 2)
    assert found["mrr@10", "popularity", "all"].value == pytest.approx(((1 / 3 + 1) / 2 + 1 / 4) / 2)
    assert found["recall@10", "recsynth", "rare"].value == 1.0
    assert found["recall@10", "recsynth", "rare"]["count"] == 1
    assert found["answered", "recsynth", "searches"].value == 3 / 4


@pytest.mark.parametrize(
    "later",
    [
        search("u", "mug", -1, ("click", "b")),
        search("u", "mug", 7, ("click", "b")),
        search("u", "mug", 1, ("click", "never seen before the night")),
    ],
    ids=["before", "too late", "unknown item"],
)
def test_nothing_else_is_judged(spark: SparkSession, later: list[tuple[Any, ...]]) -> None:
    assert judged(spark, later) == {}


def test_a_search_of_the_night_before_is_not_credited_with_what_follows(spark: SparkSession) -> None:
    found = judged(spark, [("u", None, "search", at(0, -2), None, "mug"), ("u", "b", "click", at(0, 1))])
    assert found == {}
