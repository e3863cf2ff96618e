"""Exploration: who is drawn, what changes places, and that the logged propensity is the share over many draws."""

from __future__ import annotations

from collections import Counter

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from recsynth.ranking.exploration import explored
from recsynth.ranking.settings import ExplorationSettings

SETTINGS = ExplorationSettings(share=0.4, place=2)
USERS, ITEMS = 600, 4


def lists(spark: SparkSession, users: int = USERS, items: int = ITEMS) -> DataFrame:
    """Each user's list is i1, i2 and so on."""
    rows = spark.range(users).select(F.format_string("u%04d", "id").alias("user_id"))
    ranks = F.explode(F.sequence(F.lit(1), F.lit(items)))
    return rows.select("user_id", ranks.alias("rank")).withColumn("item_id", F.format_string("i%d", "rank"))


def test_a_list_stays_a_list_and_what_is_above_the_place_stays(spark: SparkSession) -> None:
    found = explored(lists(spark), SETTINGS, seed=1)
    by_user = found.groupBy("user_id").agg(
        F.sort_array(F.collect_list(F.struct("rank", "item_id"))).alias("line"),
        F.sum(F.col("is_explored").cast("int")).alias("n"),
    )
    for row in by_user.collect():
        assert [r for r, _ in row.line] == [1, 2, 3, 4]
        items = [i for _, i in row.line]
        assert items[0] == "i1"
        assert sorted(items) == ["i1", "i2", "i3", "i4"]
        assert (items[1] != "i2") == (row.n == 1)
        # One pair has changed places, the others stand where they stood.
        assert sum(a != b for a, b in zip(items, ["i1", "i2", "i3", "i4"], strict=True)) in (0, 2)


def test_the_propensity_is_the_share_of_draws_in_which_the_item_has_the_rank(spark: SparkSession) -> None:
    found = explored(lists(spark), SETTINGS, seed=1).select("item_id", "rank", "propensity").collect()
    counted = Counter((r.item_id, r["rank"]) for r in found)
    told = {(r.item_id, r["rank"]): r.propensity for r in found}
    assert told == pytest.approx({
        ("i1", 1): 1.0, ("i2", 2): 0.6, ("i3", 2): 0.2, ("i4", 2): 0.2, ("i2", 3): 0.2, ("i2", 4): 0.2,
        ("i3", 3): 0.8, ("i4", 4): 0.8,
    })  # fmt: skip
    for pair, number in counted.items():
        assert number / USERS == pytest.approx(told[pair], abs=0.08), pair


def test_the_draw_depends_on_the_seed_and_the_user_alone(spark: SparkSession) -> None:
    def drawn(seed: int, parts: int) -> list[tuple[object, ...]]:
        made = explored(lists(spark, 80).repartition(parts, "item_id"), SETTINGS, seed)
        return sorted((r.user_id, r["rank"], r.item_id, r.is_explored) for r in made.collect())

    assert drawn(1, 1) == drawn(1, 3)
    assert drawn(1, 1) != drawn(2, 1)


def test_without_a_share_or_an_item_behind_the_place_nothing_is_left_to_chance(spark: SparkSession) -> None:
    for settings, items in ((ExplorationSettings(), 4), (ExplorationSettings(share=0.9, place=2), 2)):
        found = explored(lists(spark, 20, items), settings, seed=1)
        assert {(r.is_explored, r.propensity) for r in found.collect()} == {(False, 1.0)}
        assert found.where(F.col("item_id") != F.format_string("i%d", "rank")).count() == 0
