"""New items: text transfer first, else the towers, only what nobody has touched, and a reason that is true."""

from __future__ import annotations

from datetime import date, timedelta
from math import cos, exp, radians
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from recsynth.model.folder import link, write_model
from recsynth.ranking.new_items import new_items
from recsynth.settings import Settings
from recsynth.tables.gold import HISTORIES
from recsynth.tables.model import USER_EMBEDDINGS
from recsynth.tables.rank import NEW_ITEM_CANDIDATES
from tests.inference.planted import angle, champions, item_embeddings, item_text
from tests.model.tiny import tiny_model
from tests.rows import night, table

AS_OF = date(2024, 5, 1)
ITEMS = {"near": "cold", "far": "cold", "gone": "unavailable", "old": "", "other": ""}
DEGREES = {"near": 10, "far": 90, "gone": 0, "old": 0, "other": 100}


@pytest.fixture(scope="module")
def lines(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[tuple[str, int], Any], Path]:
    lake = tmp_path_factory.mktemp("lake")
    write_model(tiny_model(tmp_path_factory.mktemp("encoder")), lake / "_models" / "m", {})
    at = night(AS_OF, Settings.model_validate({"paths": {"lake": str(lake)}, "ranking": {"new_items": 2}}))
    users = [{"cutoff": at.cutoff, "user_id": u, "model_version": "m", "vector": angle(0)} for u in ("a", "quiet")]
    users.append({**users[0], "user_id": "of the past", "cutoff": at.cutoff - timedelta(days=7)})
    seen = [(at.cutoff - timedelta(days=1), "view", item, None) for item in ("old", "other")]
    searched = [(at.cutoff - timedelta(days=1), "search", None, "mug")]
    histories = [{"user_id": "a", "events": seen}, {"user_id": "quiet", "events": searched}]
    # A user with a row in R: what text transfer found comes first, whatever the towers say.
    carried = [{"user_id": "a", "item_id": i, "score": 3.0 - n, "rank": n} for n, i in enumerate(("far", "near"), 1)]
    found = new_items(
        table(spark, NEW_ITEM_CANDIDATES, carried),
        table(spark, USER_EMBEDDINGS, users), table(spark, HISTORIES, histories), item_text(spark, ITEMS),
        item_embeddings(spark, DEGREES, {}), champions(spark), at,
    )  # fmt: skip
    return {(r.user_id, r.rank): r for r in found.collect()}, lake / "_models" / "m"


def test_only_untouched_items_that_can_be_sold_best_match_first(lines: tuple[dict[tuple[str, int], Any], Path]) -> None:
    found, folder = lines
    assert {key: r.item_id for key, r in found.items()} == {
        ("a", 1): "far", ("a", 2): "near", ("quiet", 1): "near", ("quiet", 2): "far",
    }  # fmt: skip
    scale, bias = link(folder)
    for rank, degrees in ((1, 10), (2, 90)):
        p = 1 / (1 + exp(-(scale * cos(radians(degrees)) + bias)))
        assert found["quiet", rank].score == pytest.approx(p, rel=1e-5)
    assert [found["a", rank].score for rank in (1, 2)] == [2.0, 1.0]
    assert {(u, r.source) for (u, _), r in found.items()} == {("a", "text_transfer"), ("quiet", "towers")}


def test_the_reason_names_the_item_of_the_history_that_is_nearest_in_text(
    lines: tuple[dict[tuple[str, int], Any], Path],
) -> None:
    found, _ = lines
    assert [found["a", rank].reason_items for rank in (1, 2)] == [["other"], ["old"]]
    assert found["a", 2].reason == "New, and its description is near to Title old, which is in the history."
    assert (found["quiet", 1].reason_items, found["quiet", 1].reason) == (
        [], "New, and its description matches the history.",
    )  # fmt: skip
