"""Lists: the best first, room for what was never bought, and popularity where there is nothing to learn from."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from recsynth.ranking.recommend import composed, recommend
from recsynth.ranking.settings import RankingSettings
from recsynth.settings import Settings
from recsynth.tables.gold import INTERACTIONS
from recsynth.tables.output import NEW_ITEM_RECOMMENDATIONS
from recsynth.tables.rank import CANDIDATES, FEATURE_ROWS
from tests.inference.planted import champions, item_embeddings, item_text
from tests.rows import night, table

SCHEMA = (
    "user_id string, item_id string, score float, popular_score float, pair_purchases float, category array<string>, "
    "brand string"
)


def ranked(spark: SparkSession, rows: list[tuple[Any, ...]], **settings: int) -> list[tuple[int, str]]:
    frame = spark.createDataFrame([("u", *row, *[None] * (6 - len(row))) for row in rows], SCHEMA)
    return sorted((r["rank"], r.item_id) for r in composed(frame, RankingSettings(**settings)).collect())


def test_behind_the_best_stand_the_best_of_what_was_never_bought(spark: SparkSession) -> None:
    rows = [("had1", 9.0, 0.0, 2.0), ("had2", 8.0, 0.0, 1.0), ("had3", 7.0, 0.0, 1.0), ("new1", 6.0, 0.0, None),
            ("new2", 5.0, 0.0, 0.0), ("new3", 4.0, 0.0, None)]  # fmt: skip
    found = ranked(spark, rows, list_length=2, discoveries=2)
    assert found == [(1, "had1"), (2, "had2"), (3, "new1"), (4, "new2")]
    assert ranked(spark, rows, list_length=5, discoveries=1)[-1] == (5, "new2")


def test_ties_go_to_the_more_popular_item_then_by_id(spark: SparkSession) -> None:
    rows = [("c", 1.0, 1.0, 1.0), ("b", 1.0, 2.0, 1.0), ("a", 1.0, 1.0, 1.0)]
    assert [item for _, item in ranked(spark, rows, list_length=3)] == ["b", "a", "c"]


def test_beyond_the_cap_a_category_waits_for_all_others(spark: SparkSession) -> None:
    mugs, lamps = ["home", "mugs"], ["home", "lamps"]
    rows = [("m1", 9.0, 0.0, None, mugs), ("m2", 8.0, 0.0, None, mugs), ("m3", 7.0, 0.0, None, mugs),
            ("l1", 6.0, 0.0, None, lamps), ("x1", 5.0, 0.0, None, None), ("x2", 4.0, 0.0, None, None),
            ("x3", 3.0, 0.0, None, None)]  # fmt: skip
    found = [item for _, item in ranked(spark, rows, category_cap=2)]
    assert found == ["m1", "m2", "l1", "x1", "x2", "x3", "m3"]
    assert [item for _, item in ranked(spark, rows, category_cap=1, list_length=5, discoveries=0)] == [
        "m1", "l1", "x1", "x2", "x3",
    ]  # fmt: skip
    assert [item for _, item in ranked(spark, rows)] == [row[0] for row in rows]


def test_no_brand_fills_a_list_alone_and_both_caps_hold_together(spark: SparkSession) -> None:
    mugs, lamps = ["mugs"], ["lamps"]
    rows = [("m1", 9.0, 0.0, None, mugs, "acme"), ("m2", 8.0, 0.0, None, mugs, "acme"),
            ("m3", 7.0, 0.0, None, mugs, "bolt"), ("l1", 6.0, 0.0, None, lamps, "acme"),
            ("l2", 5.0, 0.0, None, lamps, None), ("l3", 4.0, 0.0, None, lamps, "bolt")]  # fmt: skip
    assert [i for _, i in ranked(spark, rows, brand_cap=1)] == ["m1", "m3", "l2", "m2", "l1", "l3"]
    # m3 is the third of the mugs, l1 the third of acme, l3 the third of the lamps.
    both = [i for _, i in ranked(spark, rows, brand_cap=2, category_cap=2)]
    assert both == ["m1", "m2", "l2", "m3", "l1", "l3"]


def test_without_a_window_to_learn_from_the_popular_come_first(spark: SparkSession, tmp_path: Path) -> None:
    at = night(date(2024, 5, 1), Settings.model_validate({"paths": {"lake": str(tmp_path)}}))
    scores = {"x": 1.0, "y": 3.0, "gone": 9.0, "z": None}
    lines = [{"cutoff": at.cutoff, "user_id": "u", "item_id": i, "popular_score": s} for i, s in scores.items()]
    earlier = {**lines[0], "cutoff": at.window_cutoffs[0], "item_id": "of the past"}
    found = recommend(
        table(spark, FEATURE_ROWS, [*lines, earlier]),
        table(spark, CANDIDATES, [{**line, "sources": ["popular"]} for line in [*lines, earlier]]),
        table(
            spark,
            INTERACTIONS,
            [
                {
                    "user_id": "u",
                    "item_id": item,
                    "weight": 1.0,
                    "purchases": 1,
                    "first_ts": at.cutoff - timedelta(days=days),
                    "last_ts": at.cutoff - timedelta(days=days),
                }
                for item, days in {"x": 9, "z": 1, "gone": 1}.items()
            ],
        ),
        item_text(spark, {"x": "", "y": "", "z": "", "gone": "unavailable", "of the past": ""}),
        item_embeddings(spark, {}, {}),
        champions(spark),
        table(
            spark,
            NEW_ITEM_RECOMMENDATIONS,
            [
                {
                    "user_id": "u",
                    "rank": 1,
                    "item_id": "fresh",
                    "score": 0.3,
                    "source": "towers",
                    "reason": "New.",
                    "reason_items": [],
                }
            ],
        ),
        at,
    )
    rows, common = (
        {r["rank"]: r for r in found["recommendations"].where(where).collect()}
        for where in ("user_id = 'u'", "user_id = '*'")
    )
    assert {rank: (r.item_id, r.score) for rank, r in rows.items()} == {1: ("y", 3.0), 2: ("x", 1.0), 3: ("z", 0.0)}
    assert rows[1].reason == "Popular now; nothing is known of this user yet."
    assert (rows[1].sources, rows[1].model_version) == (["popular"], "m")
    assert {(r.is_explored, r.propensity) for r in rows.values()} == {(False, 1.0)}
    # For strangers what may be shown of what was bought, without a probability, which is one of known users.
    assert {rank: (r.item_id, r.reason_items, r.purchase_probability) for rank, r in common.items()} == {
        1: ("x", [], None), 2: ("z", [], None),
    }  # fmt: skip
    assert [(r.metric, r.value) for r in found["metrics"].collect()] == [("trees", 0.0)]
