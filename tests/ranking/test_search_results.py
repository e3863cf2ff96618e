"""Search results: what searchers chose and what the text says, blended as arithmetic."""

from __future__ import annotations

from datetime import date
from hashlib import sha256
from math import cos, radians
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from recsynth.ranking.search_results import search_results
from recsynth.settings import Settings
from recsynth.tables.gold import QUERY_ITEMS
from recsynth.tables.synthesis import SYNTHETIC_QUERIES
from tests.inference.planted import champions, item_embeddings, item_text
from tests.rows import night, table

SETTINGS = {"ranking": {"search_results": 2, "search_text_weight": 0.25, "min_query_sessions": 2, "max_queries": 2}}
ASKED = [("red mug", "a", 3.0, 9), ("red mug", "b", 1.0, 9), ("杯", "b", 1.0, 5), ("rare", "a", 1.0, 1),
         ("often enough", "a", 1.0, 2)]  # fmt: skip


def test_choice_and_text_are_blended_for_the_frequent_queries(spark: SparkSession, tmp_path: Path) -> None:
    text = item_text(spark, {"a": "", "b": "", "c": "", "gone": "unavailable"})
    hashes = {sha256(b"red mug").hexdigest(): 80.0}
    vectors = item_embeddings(spark, {"a": 0, "b": 60, "c": 90, "gone": 80}, hashes)
    queries = [{"query": q, "item_id": i, "weight": w, "sessions": 1, "query_sessions": n} for q, i, w, n in ASKED]
    unused = [{"query": "red mug", "item_id": "b", "training_weight": 0.0, "verdict": "failed"}]
    settings = Settings.model_validate({"paths": {"lake": str(tmp_path)}, **SETTINGS})
    found = search_results(
        table(spark, QUERY_ITEMS, queries), text, table(spark, SYNTHETIC_QUERIES, unused), vectors, champions(spark),
        night(date(2024, 5, 1), settings),
    ).collect()  # fmt: skip
    lists = {(r.query, r.rank): (r.item_id, r.score) for r in found}

    def blend(degrees: float, share: float) -> float:
        return 0.25 * (1 + cos(radians(degrees))) / 2 + 0.75 * share

    assert lists == {
        ("red mug", 1): ("a", pytest.approx(blend(80, 3 / 4))),
        ("red mug", 2): ("b", pytest.approx(blend(20, 1 / 4))),
        # Its text was not encoded: what its searchers chose is all that there is.
        ("杯", 1): ("b", pytest.approx(0.25 / 2 + 0.75)),
    }


def test_an_item_is_matched_by_what_is_searched_for_it_where_the_gate_says_so(
    spark: SparkSession, tmp_path: Path
) -> None:
    text = item_text(spark, {"a": "", "b": "", "c": ""})
    queries = [{"query": q, "item_id": i, "weight": 1.0, "sessions": 1, "query_sessions": 9}
               for q, i in (("mug", "a"), ("cup", "a"))]  # fmt: skip
    hashes = {sha256(q.encode()).hexdigest(): d for q, d in (("mug", 80.0), ("cup", 40.0), ("pot", 70.0))}
    vectors = item_embeddings(spark, {"a": 0, "b": 100, "c": 200}, hashes)
    written = [{"query": "pot", "item_id": "b", "training_weight": 0.5, "verdict": "passed"}]
    settings = Settings.model_validate(
        {"paths": {"lake": str(tmp_path)}, "ranking": {"search_text_weight": 1.0, "max_queries": 1}}
    )
    found = search_results(
        table(spark, QUERY_ITEMS, queries), text, table(spark, SYNTHETIC_QUERIES, written), vectors, champions(spark),
        night(date(2024, 5, 1), settings),
    ).collect()  # fmt: skip

    def match(own: float, asked: float | None, query: float) -> float:
        near = cos(radians(own - query))
        cosine = near if asked is None else 0.5 * near + 0.5 * cos(radians(asked - query))
        return (1 + cosine) / 2

    # "a" is searched for by mug and cup, at 60 degrees between them; "b" by what was written; "c" by nobody.
    assert {r.item_id: r.score for r in found if r.query == "cup"} == {
        "a": pytest.approx(match(0, 60, 40), abs=1e-5),
        "b": pytest.approx(match(100, 70, 40), abs=1e-5),
        "c": pytest.approx(match(200, None, 40), abs=1e-5),
    }
