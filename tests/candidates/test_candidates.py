"""The stage on a checkerboard: even users buy even items, odd ones odd, so every answer is known."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from recsynth.candidates.candidates import candidates
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.tables.gold import HISTORIES, INTERACTIONS, ITEM_DEMAND, ITEM_TEXT, WINDOW_INTERACTIONS, WINDOW_LABELS
from recsynth.tables.model import USER_EMBEDDINGS
from recsynth.tables.rank import CANDIDATES, WINDOWS
from recsynth.tables.synthesis import SYNTHETIC_INTERACTIONS
from tests.inference.planted import champions, item_embeddings
from tests.rows import night, table

AS_OF = date(2024, 5, 1)
USERS, ITEMS = 8, 8


def small_night(lake: Path) -> Night:
    depth = {"depth": 3}
    return night(
        AS_OF,
        Settings.model_validate(
            {
                "paths": {"lake": str(lake)},
                "gold": {"windows": {"count": 1, "days": 28, "step_days": 28}},
                "candidates": {
                    "als": {"rank": 4, "iterations": 3, **depth},
                    "item_neighbours": {"l2": 1.0, "unseen_depth": 1, **depth},
                    "trending": {"unseen_depth": 1, **depth},
                    "popular": {"depth": 1},
                    "max_user_items": 5,
                    **dict.fromkeys(("user_neighbours", "text", "text_transfer", "repeat", "last_basket"), depth),
                },
            }
        ),
    )


def cell(user: int, item: int, cutoff: datetime) -> dict[str, Any]:
    return {
        "cutoff": cutoff, "user_id": f"u{user}", "item_id": f"i{item}", "weight": 1.0, "views": 0, "carts": 0,
        "purchases": 1, "quantity": 1, "opinions": 0, "first_ts": cutoff - timedelta(days=3 + item),
        "last_ts": cutoff - timedelta(days=3 + item),
    }  # fmt: skip


def board(cutoff: datetime) -> list[dict[str, Any]]:
    """Each user has the items of its colour but the one of its own number."""
    return [cell(u, i, cutoff) for u in range(USERS) for i in range(ITEMS) if (u + i) % 2 == 0 and u != i]


def propose(spark: SparkSession, lake: Path, tonight: list[dict[str, Any]] | None = None, parts: int = 1) -> DataFrame:
    return proposed(spark, lake, tonight, parts)["candidates"]


def proposed(
    spark: SparkSession, lake: Path, tonight: list[dict[str, Any]] | None = None, parts: int = 1,
    degrees: dict[str, float] | None = None, synthetic: list[dict[str, Any]] | None = None,
    windows: list[dict[str, Any]] | None = None,
) -> dict[str, DataFrame]:  # fmt: skip
    """The stage's tables; `degrees` gives items a vector in the plane, those beyond the board are new ones."""
    at = small_night(lake)
    past = at.window_cutoffs[0]
    text = [
        {"item_id": f"i{i}", "text": "", "content_hash": f"hi{i}", "title": "", "available": i != 7, "is_cold": False,
         "first_seen": past}
        for i in range(ITEMS)
    ]  # fmt: skip
    text += [
        {**text[0], "item_id": i, "content_hash": f"h{i}", "is_cold": True}
        for i in degrees or {}
        if i.startswith("new")
    ]
    rows = board(at.cutoff) if tonight is None else tonight
    users = {r["user_id"] for r in rows} | {"stranger"} if rows else set()
    labels = [{"cutoff": past, "user_id": "u0", "item_id": "i0", "purchases": 1, "first_ts": past}]
    return candidates(
        interactions=table(spark, INTERACTIONS, rows).repartition(parts),
        window_interactions=table(spark, WINDOW_INTERACTIONS, board(past)).repartition(parts),
        window_labels=table(spark, WINDOW_LABELS, labels),
        histories=table(spark, HISTORIES, [{"user_id": u, "events": []} for u in sorted(users)]),
        item_text=table(spark, ITEM_TEXT, text if rows else []),
        item_demand=table(spark, ITEM_DEMAND, [{"cutoff": at.cutoff, "item_id": "i5", "trend": 4.0}]),
        synthetic_interactions=table(spark, SYNTHETIC_INTERACTIONS, synthetic or []),
        item_embeddings=item_embeddings(spark, degrees or {}, {}),
        user_embeddings=table(spark, USER_EMBEDDINGS, []),
        models=champions(spark) if degrees else champions(spark).limit(0),
        windows=table(spark, WINDOWS, windows or []),
        night=at,
    )


def by_line(found: DataFrame) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {(r.cutoff, r.user_id, r.item_id): r.asDict() for r in found.collect()}


@pytest.fixture(scope="module")
def lines(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Candidates of the board, as they are."""
    return by_line(propose(spark, tmp_path_factory.mktemp("lake")))


def test_a_window_that_is_read_gets_no_candidates(
    spark: SparkSession, tmp_path: Path, lines: dict[tuple[Any, ...], dict[str, Any]]
) -> None:
    at = small_night(tmp_path)
    told = [{"cutoff": at.cutoff}, {"cutoff": at.window_cutoffs[0], "read_from": AS_OF - timedelta(days=28)}]
    found = by_line(proposed(spark, tmp_path, windows=told)["candidates"])
    assert {cutoff for cutoff, _, _ in found} == {max(cutoff for cutoff, _, _ in lines)}
    assert len({cutoff for cutoff, _, _ in lines}) == 2


def test_the_missing_item_of_the_own_colour_is_the_first_unseen_neighbour(
    lines: dict[tuple[Any, ...], dict[str, Any]],
) -> None:
    latest = max(cutoff for cutoff, _, _ in lines)
    for user in range(USERS - 1):
        mine = {item: row for (cutoff, u, item), row in lines.items() if (cutoff, u) == (latest, f"u{user}")}
        had = {f"i{i}" for i in range(ITEMS) if (user + i) % 2 == 0 and user != i}
        unseen = {item: row for item, row in mine.items() if item not in had}
        assert min(unseen, key=lambda i: unseen[i]["item_neighbours_rank"]) == f"i{user}"
        assert mine[f"i{user}"]["because_item"] in had


def test_synthetic_users_teach_tonights_item_weights_alone_and_only_by_their_weight(
    spark: SparkSession, lines: dict[tuple[Any, ...], dict[str, Any]], tmp_path: Path
) -> None:
    latest = max(cutoff for cutoff, _, _ in lines)

    def with_people(weight: float) -> dict[tuple[Any, ...], dict[str, Any]]:
        # Twenty people who have i2, which u0 has, and i3, of the other colour, together; and what nobody sells.
        rows = [{"user_id": f"synthetic-{u}", "item_id": i, "verdict": "passed", "training_weight": weight}
                for u in range(20) for i in ("i2", "i3", "no such item")]  # fmt: skip
        found = proposed(spark, tmp_path / str(weight), synthetic=rows)
        told = found["item_neighbours"].where("item_id = 'i2' and neighbour_id = 'i3'")
        assert told.isEmpty()  # neighbours that are shown are those of real people
        return by_line(found["candidates"])

    untaught, taught = with_people(0.0), with_people(1.0)
    assert untaught == lines
    assert {k: v for k, v in taught.items() if k[0] != latest} == {k: v for k, v in lines.items() if k[0] != latest}
    score = "item_neighbours_score"
    assert taught[latest, "u0", "i3"][score] > lines.get((latest, "u0", "i3"), {score: 0.0})[score] + 0.1
    assert not {user for _, user, _ in taught if user.startswith("synthetic")}


def test_an_item_whose_demand_rose_scores_higher_among_trending_alone(
    lines: dict[tuple[Any, ...], dict[str, Any]],
) -> None:
    latest = max(cutoff for cutoff, _, _ in lines)
    mine = {item: row for (cutoff, u, item), row in lines.items() if (cutoff, u) == (latest, "u1")}
    # u1 has i3 and i5 alike; only the demand of i5 is four times what it was.
    assert mine["i5"]["item_neighbours_score"] == pytest.approx(mine["i3"]["item_neighbours_score"], abs=1e-4)
    assert mine["i5"]["trending_score"] > 1.4 * mine["i3"]["trending_score"]


def test_a_stranger_gets_what_is_popular_alone(lines: dict[tuple[Any, ...], dict[str, Any]]) -> None:
    found = [row for (_, user, _), row in lines.items() if user == "stranger"]
    assert [row["sources"] for row in found] == [["popular"]]
    assert found[0]["als_score"] is None
    assert found[0]["item_neighbours_rank"] is None


def test_what_can_not_be_sold_is_no_candidate(lines: dict[tuple[Any, ...], dict[str, Any]]) -> None:
    assert "i7" not in {item for _, _, item in lines}


def test_of_a_past_window_only_labelled_users_are_scored(lines: dict[tuple[Any, ...], dict[str, Any]]) -> None:
    earliest = min(cutoff for cutoff, _, _ in lines)
    assert {user for cutoff, user, _ in lines if cutoff == earliest} == {"u0"}


def test_partitions_change_nothing_and_later_rows_leave_the_past_alone(
    spark: SparkSession, tmp_path: Path, lines: dict[tuple[Any, ...], dict[str, Any]]
) -> None:
    cutoff = small_night(tmp_path).cutoff
    shuffled = by_line(propose(spark, tmp_path / "a", board(cutoff)[::-1], parts=3))
    assert shuffled.keys() == lines.keys()
    for key, row in shuffled.items():
        for name in CANDIDATES.column_names:
            close = pytest.approx(lines[key][name], abs=1e-4) if name.endswith("_score") else lines[key][name]
            assert row[name] == close or row[name] is lines[key][name] or name.endswith("_rank"), (key, name)
    more = by_line(propose(spark, tmp_path / "b", [*board(cutoff), cell(0, 1, cutoff), cell(0, 3, cutoff)]))
    earliest = min(c for c, _, _ in lines)
    assert {k for k in more if k[0] == earliest} == {k for k in lines if k[0] == earliest}


def test_a_new_item_goes_to_those_who_have_what_its_text_is_like(spark: SparkSession, tmp_path: Path) -> None:
    colours = {f"i{i}": 90.0 * (i % 2) + i for i in range(ITEMS)}
    found = proposed(spark, tmp_path, degrees={**colours, "new0": 1.5, "new1": 92.5})
    new = {(r.user_id, r.rank): r.item_id for r in found["new_item_candidates"].collect()}
    assert new == {(f"u{u}", rank): f"new{(u + rank - 1) % 2}" for u in range(USERS) for rank in (1, 2)}
    # A known item is scored as if nobody had it: the one of the own colour that a user lacks is worth almost as much
    # as those had.
    known = [r for r in found["candidates"].collect() if r.user_id == "u0" and r.text_transfer_rank is not None]
    scores = {r.item_id: r.text_transfer_score for r in known if r.cutoff == max(x.cutoff for x in known)}
    assert scores["i0"] > 0.5 * max(scores["i2"], scores["i4"], scores["i6"]) > 0


def test_a_shop_without_items_gets_an_empty_table(spark: SparkSession, tmp_path: Path) -> None:
    assert propose(spark, tmp_path, []).count() == 0


def test_one_user_with_one_item_is_enough(spark: SparkSession, tmp_path: Path) -> None:
    cutoff = small_night(tmp_path).cutoff
    found = by_line(propose(spark, tmp_path, [cell(0, 2, cutoff)]))
    assert {(user, item) for at, user, item in found if at == max(k[0] for k in found)} == {
        ("u0", "i2"),
        ("stranger", "i2"),
    }
