"""An item's text: best title, latest facts, cold items, hostile characters."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal

from pyspark.sql import DataFrame, Row, SparkSession

from recsynth.gold.item_text import item_text
from recsynth.settings import Settings
from recsynth.tables.gold import TITLE_TRIGGERS
from recsynth.tables.output import ITEM_LABELS
from tests.rows import events, item_record, item_records, night, table

DAY = date(2024, 3, 1)
AT = datetime(2024, 3, 1, 12, tzinfo=UTC)


def texts(records: DataFrame, seen: DataFrame, settings: Settings | None = None) -> list[Row]:
    labels, triggers = (table(records.sparkSession, t, []) for t in (ITEM_LABELS, TITLE_TRIGGERS))
    return item_text(records, seen, labels, triggers, night=night(date(2024, 3, 5), settings)).collect()


def test_joins_all_that_is_known_into_one_text(spark: SparkSession) -> None:
    records = item_records(
        spark,
        [
            item_record(
                "x",
                DAY,
                title="Blue mug",
                category=["Kitchen", "Mugs"],
                brand="Ora",
                attributes={"material": "clay", "colour": "blue"},
                description="Holds\x00 300 ml!",
            )
        ],
    )
    (row,) = texts(records, events(spark, []))
    assert row.text == "Blue mug. Kitchen, Mugs. By Ora. colour blue, material clay. Holds 300 ml!"
    assert row.is_cold


def test_the_latest_picture_of_the_right_size_is_part_of_what_is_known_by_its_hash(spark: SparkSession) -> None:
    second, third = date(2024, 3, 2), date(2024, 3, 3)
    seen = [
        item_record("old", DAY, title="Mug", image_vector=[1.0, 2.0]),
        item_record("new", DAY, title="Mug", image_vector=[1.0, 2.0]),
        item_record("new", second, title="Mug", image_vector=[3.0, 4.0]),
        item_record("new", third, title="Mug"),
        item_record("odd", DAY, title="Mug", image_vector=[1.0, 2.0, 3.0]),
        item_record("none", DAY, title="Mug"),
    ]
    settings = Settings.model_validate({"silver": {"image_size": 2}})
    found = {r.item_id: r for r in texts(item_records(spark, seen), events(spark, []), settings)}
    assert {i: r.image_vector for i, r in found.items()} == {
        "old": [1.0, 2.0], "new": [3.0, 4.0], "odd": None, "none": None
    }  # fmt: skip
    hashes = {i: r.content_hash for i, r in found.items()}
    assert len(set(hashes.values())) == 3
    assert hashes["odd"] == hashes["none"] == hashlib.sha256(b"Mug.").hexdigest()
    without = {r.item_id: r.image_vector for r in texts(item_records(spark, seen), events(spark, []))}
    assert set(without.values()) == {None}


def test_the_title_seen_most_often_wins_then_the_latest_then_the_alphabet(spark: SparkSession) -> None:
    second = date(2024, 3, 2)
    records = item_records(
        spark,
        [
            item_record("often", DAY, title="Good", copies=3),
            item_record("often", second, title="Odd", copies=2),
            item_record("late", DAY, title="Older"),
            item_record("late", second, title="Newer"),
            item_record("tie", DAY, title="B"),
            item_record("tie", DAY, title="A"),
            item_record("none", DAY),
        ],
    )
    found = {r.item_id: r.title for r in texts(records, events(spark, []))}
    assert found == {"often": "Good", "late": "Newer", "tie": "A", "none": "none"}


def test_an_item_without_a_record_is_known_by_its_events(spark: SparkSession) -> None:
    (row,) = texts(item_records(spark, []), events(spark, [("a", "x", "purchase", AT)]))
    assert (row.title, row.text, row.price, row.is_cold) == ("x", "x.", Decimal("1.5000"), False)
    assert row.first_seen == AT.replace(tzinfo=None)
