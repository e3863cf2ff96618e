"""Search results: what searchers chose with a prior of text and demand, as arithmetic."""

from __future__ import annotations

from datetime import UTC, date, datetime
from hashlib import sha256
from math import cos, exp, radians
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from recsynth.ranking.search_results import search_results
from recsynth.settings import Settings
from recsynth.tables.gold import ITEM_DEMAND, QUERY_ITEMS
from recsynth.tables.synthesis import SYNTHETIC_QUERIES
from tests.inference.planted import champions, item_embeddings, item_text
from tests.rows import night, table

AS_OF, CUTOFF = date(2024, 5, 1), datetime(2024, 5, 1, tzinfo=UTC)
PRIOR, TEMPERATURE, POWER = 4.0, 0.5, 0.5
WEIGHTS = {"search_prior": PRIOR, "search_temperature": TEMPERATURE, "search_demand_power": POWER}
ASKED = [("red mug", "a", 3.0, 9), ("red mug", "b", 1.0, 9), ("杯", "b", 1.0, 5), ("rare", "a", 1.0, 1),
         ("often enough", "a", 1.0, 2)]  # fmt: skip


def found(
    spark: SparkSession, lake: Path, asked: list[tuple[str, str, float, int]], items: dict[str, float],
    queries: dict[str, float], written: list[dict[str, Any]], demand: dict[str, float], **ranking: Any,
) -> list[Row]:  # fmt: skip
    """The stage's rows: vectors of items and queries by their angle in degrees; `gone` cannot be sold."""
    text = item_text(spark, {i: "unavailable" if i == "gone" else "" for i in items})
    vectors = item_embeddings(spark, items, {sha256(q.encode()).hexdigest(): at for q, at in queries.items()})
    chosen = [{"query": q, "item_id": i, "weight": w, "sessions": 1, "query_sessions": n} for q, i, w, n in asked]
    wanted = [{"cutoff": CUTOFF, "item_id": i, "demand_28": v} for i, v in demand.items()]
    # What was wanted at an earlier cut-off is no matter tonight.
    wanted += [{"cutoff": datetime(2024, 4, 1, tzinfo=UTC), "item_id": i, "demand_28": 9e9} for i in items]
    settings = Settings.model_validate({"paths": {"lake": str(lake)}, "ranking": {**WEIGHTS, **ranking}})
    return search_results(
        table(spark, QUERY_ITEMS, chosen), text, table(spark, ITEM_DEMAND, wanted),
        table(spark, SYNTHETIC_QUERIES, written), vectors, champions(spark), night(AS_OF, settings),
    ).collect()  # fmt: skip


def prior(raw: dict[str, tuple[float, float]]) -> dict[str, float]:
    """Shares of items of (cosine, demand over the mean)."""
    each = {i: exp(cosine / TEMPERATURE) * (0.1 + wanted) ** POWER for i, (cosine, wanted) in raw.items()}
    return {i: value / sum(each.values()) for i, value in each.items()}


def near(degrees: float) -> float:
    return cos(radians(degrees))


def test_choices_are_smoothed_by_text_and_demand_for_the_frequent_queries(spark: SparkSession, tmp_path: Path) -> None:
    unused = [{"query": "red mug", "item_id": "b", "training_weight": 0.0, "verdict": "failed"}]
    rows = found(
        spark, tmp_path, ASKED, {"a": 0, "b": 60, "c": 90, "gone": 80}, {"red mug": 80}, unused,
        {"b": 8.0, "c": 3.0, "gone": 1.0},
        search_results=2, min_query_sessions=2, max_queries=2,
    )  # fmt: skip
    lists = {(r.query, r.rank): (r.item_id, r.score) for r in rows}
    red = prior({"a": (near(80), 0), "b": (near(20), 8 / 4), "c": (near(10), 3 / 4)})
    total = 3 + 1 + PRIOR
    assert lists == {
        ("red mug", 1): ("b", pytest.approx((1 + PRIOR * red["b"]) / total)),
        ("red mug", 2): ("a", pytest.approx((3 + PRIOR * red["a"]) / total)),
        # Its text was not encoded: what its searchers chose is all that there is.
        ("杯", 1): ("b", 1.0),
    }


def test_the_more_searched_a_query_the_more_its_own_choices_decide(spark: SparkSession, tmp_path: Path) -> None:
    few = [("mug", "a", 1.0, 9), ("mug", "b", 0.1, 9)]
    items, demand = {"a": 50, "b": 0}, {"a": 1.0, "b": 99.0}
    often = [(q, i, 100 * w, n) for q, i, w, n in few]
    order = [[r.item_id for r in found(spark, tmp_path / str(n), asked, items, {"mug": 0}, [], demand)]
             for n, asked in enumerate((few, often))]  # fmt: skip
    assert order == [["b", "a"], ["a", "b"]]


def test_a_chosen_item_far_from_the_query_has_its_own_cosine(spark: SparkSession, tmp_path: Path) -> None:
    items = {"far": 90.0, **{f"i{n}": float(n) for n in range(9)}}
    rows = found(spark, tmp_path, [("mug", "far", 5.0, 9)], items, {"mug": 0.0}, [], {}, search_results=1)
    # Five near ones were looked at, and what was chosen beside them.
    shares = prior({"far": (0.0, 0), **{f"i{n}": (near(n), 0) for n in range(5)}})
    assert [(r.item_id, r.score) for r in rows] == [("far", pytest.approx((5 + PRIOR * shares["far"]) / (5 + PRIOR)))]


def test_an_item_is_matched_by_what_is_searched_for_it_where_the_gate_says_so(
    spark: SparkSession, tmp_path: Path
) -> None:
    asked = [("mug", "a", 1.0, 9), ("cup", "a", 1.0, 9)]
    written = [{"query": "pot", "item_id": "b", "training_weight": 0.5, "verdict": "passed"}]
    rows = found(
        spark, tmp_path, asked, {"a": 0, "b": 100, "c": 200}, {"mug": 80, "cup": 40, "pot": 70}, written, {},
        max_queries=1,
    )  # fmt: skip

    def match(own: float, searched: float | None, query: float) -> float:
        return near(own - query) if searched is None else 0.5 * near(own - query) + 0.5 * near(searched - query)

    # "a" is searched for by mug and cup, at 60 degrees between them; "b" by what was written; "c" by nobody.
    shares = prior({"a": (match(0, 60, 40), 0), "b": (match(100, 70, 40), 0), "c": (match(200, None, 40), 0)})
    expected = {i: (float(i == "a") + PRIOR * share) / (1 + PRIOR) for i, share in shares.items()}
    assert {r.item_id: r.score for r in rows if r.query == "cup"} == pytest.approx(expected, abs=1e-5)
