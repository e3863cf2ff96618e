"""What a night reads of the feature store: whose rows, whose not, and that they are what it would have computed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from recsynth.nightly import run_night
from recsynth.pipeline import STAGES
from recsynth.ranking.features import features
from recsynth.ranking.windows import KNOWN_SHARE, windows
from recsynth.settings import Settings
from recsynth.store import Store
from recsynth.tables import RUN_DATE
from recsynth.tables.gold import INTERACTIONS, ITEM_DEMAND, WINDOW_INTERACTIONS, WINDOW_LABELS
from recsynth.tables.ops import ERASURES
from recsynth.tables.rank import CANDIDATES, FEATURE_ROWS
from recsynth.tables.rank import WINDOWS as WINDOW_ROWS
from tests.rows import events, night, table
from tests.sources import INVOICES, settings, write_csv

AS_OF = date(2024, 5, 1)
GOLD = {"windows": {"count": 3, "days": 7, "step_days": 7}}
AT = night(AS_OF, Settings.model_validate({"gold": GOLD}))
FIRST, SECOND, THIRD = AT.window_cutoffs
EVENTS_BEFORE_ALL = 200


def happened(spark: SparkSession) -> DataFrame:
    """Events, all of them before every cut-off."""
    return events(spark, [("u", "i", "view", THIRD - timedelta(hours=1 + n)) for n in range(EVENTS_BEFORE_ALL)])


def store(spark: SparkSession, *nights: tuple[date, datetime, int, str]) -> DataFrame:
    """rank.features with a row of each (night, cutoff, events known, computed by)."""
    rows = [{"cutoff": cutoff, "user_id": "u", "item_id": "i", "known_events": known, "computed_by": by}
            for _, cutoff, known, by in nights]  # fmt: skip
    frames = [table(spark, FEATURE_ROWS, [row]).selectExpr("*", f"date'{of}' AS {RUN_DATE}")
              for row, (of, *_) in zip(rows, nights, strict=True)]  # fmt: skip
    empty = table(spark, FEATURE_ROWS, []).selectExpr("*", f"CAST(NULL AS DATE) AS {RUN_DATE}")
    for frame in frames:
        empty = empty.unionByName(frame)
    return empty


def asked(spark: SparkSession, kept: DataFrame, erased: int = 0, read_stored: bool = True) -> DataFrame:
    gold = {"windows": GOLD["windows"] | {"read_stored": read_stored}}
    at = night(AS_OF, Settings.model_validate({"gold": gold}))
    gone = table(spark, ERASURES, [{"erasure_id": str(n)} for n in range(erased)])
    return windows(happened(spark), kept, gone, at)


def read(found: DataFrame) -> dict[int, date | None]:
    """Days before the as-of date to the night that is read."""
    at = AT.cutoff.replace(tzinfo=None)
    return {round((at - r.cutoff).total_seconds() / 86400): r.read_from for r in found.collect()}


@pytest.fixture(scope="module")
def ours(spark: SparkSession) -> str:
    """What this code and these settings compute by."""
    return str(asked(spark, store(spark)).first()["computed_by"])  # type: ignore[index]


def test_of_each_cutoff_the_newest_night_before_is_read(spark: SparkSession, ours: str) -> None:
    a_week, two = AS_OF - timedelta(days=7), AS_OF - timedelta(days=14)
    known = EVENTS_BEFORE_ALL
    kept = store(spark, (a_week, FIRST, known, ours), (a_week, SECOND, known, ours), (two, SECOND, known, ours))
    found = asked(spark, kept)
    assert read(found) == {0: None, 7: a_week, 14: a_week, 21: None}
    assert {r.known_events for r in found.collect()} == {known}


Kept = Callable[[str], tuple[date, datetime, int, str]]
YESTERDAY = AS_OF - timedelta(days=1)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(lambda by: (YESTERDAY, FIRST, EVENTS_BEFORE_ALL, "other"), id="by other settings or code"),
        pytest.param(lambda by: (YESTERDAY, FIRST, EVENTS_BEFORE_ALL, None), id="of before it was told"),
        pytest.param(lambda by: (YESTERDAY, FIRST, EVENTS_BEFORE_ALL * 3 // 4, by), id="much has landed since"),
        pytest.param(lambda by: (YESTERDAY, FIRST, EVENTS_BEFORE_ALL * 4 // 3, by), id="much has gone since"),
        pytest.param(lambda by: (YESTERDAY, FIRST + timedelta(days=1), 200, by), id="of another cut-off"),
    ],
)
def test_what_is_computed_anew(spark: SparkSession, ours: str, row: Kept) -> None:
    assert set(read(asked(spark, store(spark, row(ours)))).values()) == {None}


def test_few_late_events_change_nothing_and_what_was_known_then_stays_told(spark: SparkSession, ours: str) -> None:
    then = round(EVENTS_BEFORE_ALL * KNOWN_SHARE)
    found = asked(spark, store(spark, (YESTERDAY, FIRST, then, ours)))
    assert read(found)[7] == YESTERDAY
    assert {r.known_events for r in found.where("read_from is not null").collect()} == {then}


def test_after_an_erasure_and_where_it_is_switched_off_all_is_computed(spark: SparkSession, ours: str) -> None:
    kept = store(spark, (YESTERDAY, FIRST, EVENTS_BEFORE_ALL, ours))
    assert read(asked(spark, kept))[7] == YESTERDAY
    assert set(read(asked(spark, kept, erased=1)).values()) == {None}
    assert set(read(asked(spark, kept, read_stored=False)).values()) == {None}


def test_rows_are_read_for_those_who_bought_since_with_what_they_bought(spark: SparkSession) -> None:
    of = AS_OF - timedelta(days=7)
    lines = [{"cutoff": c, "user_id": u, "item_id": i, "als_score": 0.25, "pair_views": 3.0}
             for c in (FIRST, SECOND) for u in ("buyer", "later", "idle") for i in ("x", "y")]  # fmt: skip
    stored = table(spark, FEATURE_ROWS, lines).selectExpr("*", f"date'{of}' AS {RUN_DATE}")
    older = table(spark, FEATURE_ROWS, lines).selectExpr("*", f"date'{of - timedelta(days=1)}' AS {RUN_DATE}")
    told = {"known_events": 9, "computed_by": "us"}
    found = features(
        candidates=table(spark, CANDIDATES, [
            {"cutoff": AT.cutoff, "user_id": "buyer", "item_id": "x"},
            {"cutoff": SECOND, "user_id": "buyer", "item_id": "z"},
        ]),
        interactions=table(spark, INTERACTIONS, []),
        # Nobody knew `later` at the cut-off: such a user has nothing that a window could learn from.
        window_interactions=table(spark, WINDOW_INTERACTIONS, [{"cutoff": FIRST, "user_id": "buyer"},
                                                               {"cutoff": FIRST, "user_id": "idle"}]),
        window_labels=table(spark, WINDOW_LABELS, [{"cutoff": FIRST, "user_id": u, "item_id": "y", "purchases": 1}
                                                   for u in ("buyer", "later")]),
        item_demand=table(spark, ITEM_DEMAND, []),
        events=events(spark, [("buyer", "x", "purchase", THIRD)]),
        windows=table(spark, WINDOW_ROWS, [{"cutoff": AT.cutoff, **told}, {"cutoff": SECOND, **told},
                                           {"cutoff": FIRST, "read_from": of, **told}]),
        features=stored.unionByName(older),
        night=AT,
    ).collect()  # fmt: skip
    first, second, tonight = (c.replace(tzinfo=None) for c in (FIRST, SECOND, AT.cutoff))
    assert sorted((r.cutoff, r.user_id, r.item_id, r.label, r.als_score) for r in found) == [
        (second, "buyer", "z", 0.0, None),
        (first, "buyer", "x", 0.0, 0.25),
        (first, "buyer", "y", 1.0, 0.25),
        (tonight, "buyer", "x", None, None),
    ]
    assert {(r.known_events, r.computed_by) for r in found} == {(9, "us")}


SHORT = [stage for stage in STAGES if stage.name in (
    "land", "clean", "items", "interactions", "histories", "item_demand", "item_text", "windows", "embed_users",
    "candidates", "features",
)]  # fmt: skip
LOOKS = next(stage for stage in SHORT if stage.name == "windows")
SECOND_NIGHT = date(2024, 3, 1)
# Its seed is of the night: of two nights it is never the same.
DRAWN = {"als_score", "als_rank"}


def shop(folder: Path, read_stored: bool) -> Settings:
    """Twelve people who buy one of eight items a day, for six weeks up to the second night."""
    sold = [(user, (user * 3 + day * (1 + user % 3)) % 8, SECOND_NIGHT - timedelta(days=day))
            for day in range(1, 43) for user in range(12)]  # fmt: skip
    rows = [f"u{user},i{item},{day} 12:00:00,1.5,THING {item}" for user, item, day in sold]
    write_csv(folder, "sales.csv", "user,item,at,price,title\n" + "\n".join(rows) + "\n")
    gold = {"windows": {"count": 2, "days": 7, "step_days": 7, "read_stored": read_stored}}
    return settings(folder, INVOICES, gold=gold, candidates={"als": {"rank": 2, "iterations": 2}})


def lines(store: Store) -> pd.DataFrame:
    """Rows of rank.features of the second night, without what is drawn and the settings that they are of."""
    rows = store.read_night(FEATURE_ROWS, SECOND_NIGHT).drop(*DRAWN, "computed_by")
    return rows.orderBy("cutoff", "user_id", "item_id").toPandas()


@pytest.mark.slow
def test_a_second_night_reads_what_it_would_have_computed(spark: SparkSession, tmp_path: Path) -> None:
    chosen = shop(tmp_path, read_stored=True)
    for as_of in (SECOND_NIGHT - timedelta(days=7), SECOND_NIGHT):
        run_night(spark, chosen, as_of, stages=SHORT)
    store = Store(spark, chosen.paths.lake)
    told = store.read_night(WINDOW_ROWS, SECOND_NIGHT).orderBy("cutoff").collect()
    assert [r.read_from for r in told] == [SECOND_NIGHT - timedelta(days=7)] * 2 + [None]
    assert store.read_night(CANDIDATES, SECOND_NIGHT).select("cutoff").distinct().count() == 1
    found = lines(store)
    run_night(spark, shop(tmp_path, read_stored=False), SECOND_NIGHT, stages=SHORT[SHORT.index(LOOKS) :])
    assert store.read_night(CANDIDATES, SECOND_NIGHT).select("cutoff").distinct().count() == 3
    expected = lines(store)
    assert expected.groupby("cutoff")["label"].max().tolist() == pytest.approx([1.0, 1.0, float("nan")], nan_ok=True)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-5)
