"""Promotions: a calendar lands, is told again, and is read as it was told last."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from recsynth.apps.promotions import promoted_days
from recsynth.tables.silver import PROMOTIONS
from tests.rows import table
from tests.silver.test_clean import Lake
from tests.sources import EVENTS, event, settings, write_csv, write_jsonl

CALENDAR: dict[str, Any] = {
    "name": "calendar", "kind": "promotions", "format": "csv", "path": "calendar*.csv",
    "columns": {"promotion_id": "id", "item_id": "upper(item)", "first_day": "begins", "last_day": "ends",
                "is_cancelled": "off", "seen_date": "regexp_extract(_path, '([0-9-]{10})', 1)"},
}  # fmt: skip
CLICKS = EVENTS | {"path": "events/e*.jsonl"}
HEAD = "id,item,begins,ends,off\n"
BROKEN = {
    "missing promotion_id": ",a,2024-03-01,2024-03-07,",
    "missing item_id": "p, ,2024-03-01,2024-03-07,",
    "unparsable first_day": "p,a,soon,2024-03-07,",
    "unparsable last_day": "p,a,2024-03-01,,",
    "last_day before first_day": "p,a,2024-03-07,2024-03-01,",
    "unparsable is_cancelled": "p,a,2024-03-01,2024-03-07,perhaps",
}


def test_a_calendar_lands_and_what_is_broken_is_set_aside(spark: SparkSession, tmp_path: Path) -> None:
    write_jsonl(tmp_path, "e.jsonl", [event("e")])
    spring = "spring,a,2024-03-01,2024-03-07,\n"
    write_csv(tmp_path, "calendar2024-02-01.csv", HEAD + 2 * spring + "\n".join(BROKEN.values()) + "\n")
    lake = Lake(spark, settings(tmp_path, CLICKS, CALENDAR))
    lake.run()
    # The same file again, in another run, and what was planned is moved and called off.
    write_csv(tmp_path, "calendar2024-02-08.csv", HEAD + spring + "spring,a,2024-03-02,2024-03-08,TRUE\n")
    write_csv(tmp_path, "calendar_2024-02-01.csv", HEAD + spring)
    lake.run()
    rows = lake.tables["promotions"].orderBy("seen_date", "first_day").collect()
    assert [(r.item_id, r.first_day.day, r.last_day.day, r.is_cancelled, r.seen_date.day, r.copies) for r in rows] == [
        ("A", 1, 7, False, 1, 3), ("A", 1, 7, False, 8, 1), ("A", 2, 8, True, 8, 1)
    ]  # fmt: skip
    assert {r.reason: r.copies for r in lake.tables["quarantine"].collect()} == dict.fromkeys(BROKEN, 1)
    lake.account()  # Landed is kept, duplicates and quarantined, else this raises.


def test_what_was_told_last_counts(spark: SparkSession) -> None:
    def row(name: str, item: str, first: int, last: int, seen: int, is_cancelled: bool = False) -> dict[str, Any]:
        return {
            "source": "s", "promotion_id": name, "item_id": item, "first_day": date(2024, 3, first), "copies": 1,
            "last_day": date(2024, 3, last), "is_cancelled": is_cancelled, "seen_date": date(2024, 2, seen),
        }  # fmt: skip

    rows = [row("p", "moved", 1, 4, 1), row("p", "moved", 3, 6, 2), row("p", "off", 1, 9, 1),
            row("p", "off", 1, 9, 2, is_cancelled=True), row("p", "on again", 1, 9, 1, is_cancelled=True),
            row("p", "on again", 8, 20, 3), row("q", "moved", 9, 9, 1), row("p", "twice a day", 1, 3, 1),
            row("p", "twice a day", 2, 5, 1), row("p", "over", 10, 12, 1)]  # fmt: skip
    # In whatever order it landed.
    for told in (rows, rows[::-1]):
        found = promoted_days(table(spark, PROMOTIONS, told), date(2024, 3, 2), date(2024, 3, 10))
        assert {r.item_id: [pair.day for pair in r.promoted] for r in found.collect()} == {
            "moved": [1, 2, 3, 4, 7], "on again": [6, 7], "twice a day": [0, 1, 2, 3]
        }  # fmt: skip
        assert {pair.told for r in found.collect() for pair in r.promoted} == {-30}, "first spoken of on 1 February"
