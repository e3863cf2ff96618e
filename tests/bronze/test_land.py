"""Landing: each file once and whole; bad input is one clear error before anything is written."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from recsynth.bronze.land import land
from recsynth.errors import InputError
from recsynth.settings import Settings
from recsynth.tables.bronze import COLUMN_CHANGES, LANDED_FILES, ROWS
from tests.rows import night, table
from tests.sources import EVENTS, INVOICES, event, settings, write_csv, write_jsonl

HEADER = "user,item,title,price,at\n"
AS_OF = date(2024, 4, 1)


class Bronze:
    """The bronze tables in memory."""

    def __init__(self, spark: SparkSession, configured: Settings) -> None:
        self.night = night(AS_OF, configured)
        self.files, self.rows, self.changes = (table(spark, t, []) for t in (LANDED_FILES, ROWS, COLUMN_CHANGES))

    def land(self) -> dict[str, DataFrame]:
        found = dict(land(self.files, self.rows, self.changes, self.night))
        if found:
            self.files = self.files.union(found["landed_files"]).localCheckpoint()
            self.rows = self.rows.union(found["rows"]).localCheckpoint()
        if "column_changes" in found:
            self.changes = self.changes.union(found["column_changes"]).localCheckpoint()
        return found


def test_csv_rows_land_as_they_came_and_broken_lines_stay_lines(spark: SparkSession, tmp_path: Path) -> None:
    write_csv(tmp_path, "a.csv", HEADER + 'u1,i1,"A ""fine"", red\nmug",1.5,2024-03-01 10:00:00\nu2,i2\n')
    bronze = Bronze(spark, settings(tmp_path, INVOICES))
    bronze.land()
    good, bad = bronze.rows.orderBy("raw").collect()[::-1]
    assert good.fields["title"] == 'A "fine", red\nmug'
    assert bad.fields is None
    assert bad.raw == "u2,i2"
    assert bronze.files.first().rows == 2


def test_json_lines_land_and_a_truncated_line_is_malformed(spark: SparkSession, tmp_path: Path) -> None:
    write_jsonl(tmp_path, "a.jsonl", [event("e1", price=1.5), '{"event_id": "e2", "user_id": "u', "nonsense"])
    bronze = Bronze(spark, settings(tmp_path, EVENTS))
    bronze.land()
    rows = bronze.rows.collect()
    assert {r.raw for r in rows if r.fields is None} == {'{"event_id": "e2", "user_id": "u', "nonsense"}
    (good,) = [r.fields for r in rows if r.fields]
    assert (good["event_id"], good["price"]) == ("e1", "1.5")


def test_rows_with_too_many_keys_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    rows: list[dict[str, Any] | str] = [event(f"e{n}") | {f"k{n}-{k}": 1 for k in range(700)} for n in range(3)]
    write_jsonl(tmp_path, "a.jsonl", [*rows, "torn", "{}"])
    bronze = Bronze(spark, settings(tmp_path, EVENTS))
    with pytest.raises(InputError, match=r"a\.jsonl: expected at most 2000 columns, found 2105"):
        bronze.land()
    write_jsonl(tmp_path, "a.jsonl", [*rows[:2], "torn", "{}"])
    bronze.land()
    assert (bronze.files.first().rows, bronze.rows.count()) == (4, 4)
    assert bronze.changes.count() == 1405


def test_a_file_lands_once_even_under_another_name(spark: SparkSession, tmp_path: Path) -> None:
    first = write_jsonl(tmp_path, "a.jsonl", [event("e1")])
    bronze = Bronze(spark, settings(tmp_path, EVENTS))
    assert bronze.land()
    assert bronze.land() == {}
    shutil.copy(first, first.with_name("copy.jsonl"))
    assert bronze.land() == {}
    write_jsonl(tmp_path, "b.jsonl", [event("e2")])
    assert bronze.land()["landed_files"].first().path == "events/b.jsonl"
    assert bronze.rows.count() == 2


def test_an_empty_file_lands_with_no_rows(spark: SparkSession, tmp_path: Path) -> None:
    write_csv(tmp_path, "a.csv", HEADER)
    bronze = Bronze(spark, settings(tmp_path, INVOICES))
    bronze.land()
    assert (bronze.files.first().rows, bronze.rows.count()) == (0, 0)


def test_files_with_other_columns_land_beside_each_other(spark: SparkSession, tmp_path: Path) -> None:
    write_csv(tmp_path, "a.csv", HEADER + "u1,i1,Mug,1.5,2024-03-01\n")
    write_csv(tmp_path, "b.csv", "at,more,user,item,title,price\n2024-03-02,x,u2,i2,Pan,2.5\n")
    bronze = Bronze(spark, settings(tmp_path, INVOICES))
    bronze.land()
    assert {r.fields["user"]: r.fields.get("more") for r in bronze.rows.collect()} == {"u1": None, "u2": "x"}


def test_parquet_lands_with_every_field_as_text(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    frame = spark.createDataFrame(
        [("u", "i", "Mug", 1.5, "2024-03-01")], "user string, item string, title string, price double, at string"
    )
    frame.toPandas().to_parquet(tmp_path / "landing" / "a.parquet")
    bronze = Bronze(spark, settings(tmp_path, INVOICES | {"format": "parquet", "path": "*.parquet"}))
    bronze.land()
    assert bronze.rows.first().fields["price"] == "1.5"


def test_only_appended_rows_of_a_delta_table_land(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "table")
    frame = spark.createDataFrame(
        [("u1", "i", "Mug", 1.5, "2024-03-01")], "user string, item string, title string, price double, at string"
    )
    frame.write.format("delta").save(path)
    bronze = Bronze(spark, settings(tmp_path, INVOICES | {"format": "delta", "path": path}))
    bronze.land()
    assert bronze.land() == {}
    frame.replace("u1", "u2").write.format("delta").mode("append").save(path)
    assert [r.fields["user"] for r in bronze.land()["rows"].collect()] == ["u2"]


@pytest.mark.parametrize(
    ("name", "content", "change", "expected", "found"),
    [
        (None, None, {}, "the landing folder", "no such folder"),
        ("other.txt", b"x", {}, "files of source invoices", "none"),
        ("a.csv", b"\x00\x01", {}, "a csv file", "binary content"),
        ("a.csv", b"", {}, "a header line", "an empty file"),
        ("a.csv", b"user;item;title;price;at\n", {}, "delimiter ','", "user;item"),
        ("a.csv", b"user,item,title,at\n", {}, "the columns price", "user, item, title, at"),
        (
            "a.csv",
            HEADER.encode(),
            {"columns": INVOICES["columns"] | {"price": "cast(price as"}},
            "a Spark SQL expression",
            "cast",
        ),
        ("a.parquet", b"PAR0", {"format": "parquet", "path": "*.parquet"}, "a Parquet file", ""),
    ],
)
def test_bad_input_is_one_clear_error(
    spark: SparkSession,
    tmp_path: Path,
    name: str | None,
    content: bytes | None,
    change: dict[str, Any],
    expected: str,
    found: str,
) -> None:
    if name is not None and content is not None:
        (tmp_path / "landing").mkdir()
        (tmp_path / "landing" / name).write_bytes(content)
    with pytest.raises(InputError) as raised:
        Bronze(spark, settings(tmp_path, INVOICES | change)).land()
    assert expected in raised.value.expected
    assert found in raised.value.found


def test_a_missing_column_may_be_declared_optional(spark: SparkSession, tmp_path: Path) -> None:
    write_csv(tmp_path, "a.csv", "user,item,title,at\nu,i,Mug,2024-03-01\n")
    bronze = Bronze(spark, settings(tmp_path, INVOICES | {"optional": ["price"]}))
    bronze.land()
    assert bronze.rows.count() == 1
