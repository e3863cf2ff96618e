"""New items in the lists: where they stand, what moves, and that chance keeps its place."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from recsynth.ranking.new_item_places import with_new_items
from recsynth.ranking.settings import RankingSettings
from recsynth.tables.output import NEW_ITEM_RECOMMENDATIONS, RECOMMENDATIONS
from tests.rows import table


def placed(
    spark: SparkSession, lists: dict[str, list[str]], new: dict[str, list[str]], places: int, first_rank: int
) -> dict[str, list[str]]:
    """Each user's list, in order; every list is without gaps and repetition."""
    line = {"score": 1.0, "is_explored": False, "propensity": 0.5, "sources": ["als"], "reason": "r",
            "purchase_probability": 0.1, "reason_items": [], "model_version": "m"}  # fmt: skip
    lines = [line | {"user_id": u, "rank": k, "item_id": i} for u, top in lists.items() for k, i in enumerate(top, 1)]
    fresh = [{"user_id": u, "rank": k, "item_id": i, "score": 0.2, "source": "towers", "reason": "New.",
              "reason_items": ["h"], "model_version": "m"}
             for u, top in new.items() for k, i in enumerate(top, 1)]  # fmt: skip
    found = with_new_items(
        table(spark, RECOMMENDATIONS, lines), table(spark, NEW_ITEM_RECOMMENDATIONS, fresh), places, first_rank
    ).collect()
    for r in found:
        is_new = r.item_id in new.get(r.user_id, []) and r.item_id not in lists[r.user_id]
        expected = (None, 1.0, ["towers"], ["h"]) if is_new else (0.1, 0.5, ["als"], [])
        assert (r.purchase_probability, r.propensity, r.sources, r.reason_items) == expected
    by_user = {user: sorted((r["rank"], r.item_id) for r in found if r.user_id == user) for user in lists}
    assert all([rank for rank, _ in top] == list(range(1, len(top) + 1)) for top in by_user.values())
    assert sum(map(len, by_user.values())) == len(found)
    return {user: [item for _, item in top] for user, top in by_user.items()}


def test_new_items_stand_at_their_rank_and_the_others_move_behind(spark: SparkSession) -> None:
    lists = {"u": ["a", "b", "c"], "short": ["a"], "nothing new": ["a", "b"]}
    new = {"u": ["x", "y", "z"], "short": ["x"], "no list": ["x"]}
    assert placed(spark, lists, new, places=2, first_rank=2) == {
        "u": ["a", "x", "y", "b", "c"], "short": ["a", "x"], "nothing new": ["a", "b"],
    }  # fmt: skip
    assert placed(spark, lists, new, places=1, first_rank=9)["u"] == ["a", "b", "c", "x"]
    assert placed(spark, lists, new, places=0, first_rank=2) == lists


def test_what_a_list_holds_already_takes_no_second_place(spark: SparkSession) -> None:
    assert placed(spark, {"u": ["a", "x"]}, {"u": ["x", "y"]}, places=1, first_rank=1) == {"u": ["y", "a", "x"]}


def test_a_place_that_chance_fills_is_not_moved() -> None:
    drawn = {"share": 0.1, "place": 10}
    with pytest.raises(ValueError, match=r"new_item_rank behind exploration.place \(10\).* found 10"):
        RankingSettings.model_validate({"exploration": drawn, "new_item_places": 1})
    assert RankingSettings.model_validate({"exploration": drawn, "new_item_places": 1, "new_item_rank": 11})
