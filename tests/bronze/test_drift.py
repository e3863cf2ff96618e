"""Files whose columns are not those of the files before: each change is found, and done with as the settings say."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from recsynth.bronze.columns import Form, kinds_of
from recsynth.bronze.drift import MOST_COLUMNS, Change, Known, changes, judged
from recsynth.errors import InputError
from recsynth.source import SourceSettings
from tests.rows import night
from tests.silver.test_clean import Lake
from tests.sources import EVENTS, INVOICES, event, settings, write_csv, write_jsonl

READ = {"user", "item", "title", "price", "at"}
KINDS = {"user": "text", "item": "text", "title": "text", "price": "number", "at": "time", "extra": "boolean"}


def source(**fields: Any) -> SourceSettings:
    return SourceSettings.model_validate(INVOICES | fields)


def found(kinds: dict[str, str], **fields: Any) -> list[Change]:
    """What differs from KINDS."""
    return changes(kinds, source(**fields), Known(dict(KINDS)), READ)


def test_each_change_is_found_and_nothing_else() -> None:
    assert found(KINDS) == []
    without = {c: k for c, k in KINDS.items() if c != "price"}
    assert found(without) == [Change("price", "missing", "number")]
    assert found(without, optional=["price"]) == []
    assert found(KINDS | {"more": "time"}) == [Change("more", "new", "extra", "time")]
    assert found({"first": ""} | KINDS) == [Change("first", "new", None, "")]
    spelled = {"P_R-ice" if c == "price" else c: k for c, k in KINDS.items()}
    assert found(spelled) == [Change("price", "renamed", "title", "P_R-ice")]
    assert found({"cost" if c == "price" else c: k for c, k in KINDS.items()}) == [
        Change("price", "missing", "number"), Change("cost", "new", "title", "number"),
    ]  # fmt: skip
    both = {"item": "text", "USER": "text"} | {c: k for c, k in KINDS.items() if c not in ("user", "item")}
    assert [c.change for c in found(both)] == ["reordered", "renamed"]
    assert found(KINDS | {"price": "text"}) == [Change("price", "retyped", "number", "text")]
    # Text takes anything, and a column without a value says nothing.
    assert found(KINDS | {"item": "number", "price": "", "at": ""}) == []
    moved = {c: KINDS[c] for c in ("item", "user", "title", "price", "at", "extra")}
    assert found(moved) == [Change("user", "reordered", json.dumps([*KINDS]), json.dumps([*moved]))]


def test_what_was_learned_is_no_change_any_more() -> None:
    other = {"New": "text", "user": "text", "P rice": "number", "item": "number", "title": "number"} | {"at": "text"}
    chosen = source(drift={"missing": "evolve", "renamed": "evolve"})
    known = Known()
    for kinds in (KINDS, other, other, KINDS, KINDS):
        before = json.dumps(known.kinds)
        for change in changes(kinds, chosen, known, READ):
            known.learn(change)
        assert changes(kinds, chosen, known, READ) == [], (before, kinds)


def test_a_column_that_was_empty_so_far_gets_its_kind_with_its_first_value(spark: SparkSession) -> None:
    known = Known(KINDS | {"price": ""})
    strict = source(drift={"retyped": "refuse"})
    ((change, policy),) = judged(Form("f", "invoices", "a.csv", KINDS), strict, known)
    assert (change, policy) == (Change("price", "first", None, "number"), "evolve")
    assert list(known.kinds.items()) == list(KINDS.items())
    with pytest.raises(InputError, match="expected number in column price, found text"):
        list(judged(Form("f", "invoices", "b.csv", KINDS | {"price": "text"}), strict, known))


def test_a_column_has_any_of_its_names(spark: SparkSession) -> None:
    chosen = source(aliases={"price": ["cost", "amount"]})
    for name in ("price", "cost", "amount"):
        kinds = {name if c == "price" else c: k for c, k in KINDS.items()}
        known = Known(dict(KINDS), {c: [*n] for c, n in chosen.aliases.items()})
        assert list(judged(Form("f", "invoices", "a.csv", kinds), chosen, known)) == []


@pytest.mark.parametrize(
    ("change", "kinds", "expected", "said"),
    [
        ("new", KINDS | {"more": "text"}, "no new column (drift.new of source invoices)", "more"),
        (
            "missing",
            {c: k for c, k in KINDS.items() if c not in ("price", "at")},
            "the columns price, at",
            "user, item",
        ),
        ("renamed", {"Price" if c == "price" else c: k for c, k in KINDS.items()}, "the column price", "Price (if it"),
        ("retyped", KINDS | {"price": "text"}, "number in column price", "text"),
        ("reordered", dict(reversed(KINDS.items())), 'in the order ["user"', '["extra"'),
    ],
)
def test_each_policy_does_what_it_says(
    spark: SparkSession, change: str, kinds: dict[str, str], expected: str, said: str
) -> None:
    form = Form("f", "invoices", "a.csv", kinds)
    with pytest.raises(InputError) as raised:
        list(judged(form, source(drift={change: "refuse"}), Known(dict(KINDS))))
    assert raised.value.where == "a.csv"
    assert expected in raised.value.expected
    assert said in raised.value.found
    known = Known(dict(KINDS))
    assert list(judged(form, source(drift={change: "ignore"}), known)) == []
    assert known == Known(dict(KINDS))
    aside = source(drift={change: "quarantine"})
    for _ in range(2):  # The next file of that form is no better.
        assert {(c.change, p) for c, p in judged(form, aside, known)} == {(change, "quarantine")}
    evolving = source(drift={change: "evolve"})
    assert {(c.change, p) for c, p in judged(form, evolving, known)} == {(change, "evolve")}
    assert list(judged(form, evolving, known)) == []


def test_a_column_that_nobody_reads_stops_no_file(spark: SparkSession) -> None:
    strict = source(drift={"missing": "refuse", "renamed": "quarantine", "retyped": "refuse"})
    for kinds in (
        {c: k for c, k in KINDS.items() if c != "extra"},
        {"Extra" if c == "extra" else c: k for c, k in KINDS.items()}, KINDS | {"extra": "text"},
    ):  # fmt: skip
        ((_, policy),) = judged(Form("f", "invoices", "a.csv", kinds), strict, Known(dict(KINDS)))
        assert policy == "evolve"


def test_json_lines_may_lack_what_they_like_unless_told_otherwise(spark: SparkSession) -> None:
    lines = {"format": "jsonl"}
    form = Form("f", "invoices", "a.jsonl", {"user": "text"})
    assert list(judged(form, source(**lines), Known(dict(KINDS)))) == []
    with pytest.raises(InputError, match="the columns item, title, price, at"):
        list(judged(form, source(**lines, drift={"missing": "refuse"}), Known(dict(KINDS))))
    many = Form("f", "invoices", "a.jsonl", {f"c{n}": "" for n in range(MOST_COLUMNS + 1)})
    with pytest.raises(InputError, match="at most 2000 columns, found 2001"):
        list(judged(many, source(**lines), Known()))


def test_kinds_are_read_from_the_file(tmp_path: Path) -> None:
    text = 'a,b,c,d,e,"f"\n1,2.5,2024-03-01 10:00:00,true,,x\n2,3,2024-03-02 10:00:00,false,,"y\nz"\nbroken\n'
    path = write_csv(tmp_path, "a.csv", text)
    kinds = {"a": "number", "b": "number", "c": "time", "d": "boolean", "e": "", "f": "text"}
    assert kinds_of(path, source()) == kinds
    assert kinds_of(write_csv(tmp_path, "b.csv", text.replace(",", "::")), source(delimiter="::")) == dict.fromkeys(
        kinds, ""
    )
    rows = [{"n": 1, "t": "x", "b": True, "m": 1, "l": [1]}, {"n": None, "m": "x", "z": None}, "no json", "[1]"]
    lines = write_jsonl(tmp_path, "a.jsonl", rows)
    assert kinds_of(lines, source(format="jsonl")) == {
        "n": "number", "t": "text", "b": "boolean", "m": "text", "l": "text", "z": "",
    }  # fmt: skip


def reasons(lake: Lake) -> set[tuple[str, str]]:
    """Who is set aside, and why."""
    rows = lake.tables["quarantine"].select("raw", "reason").collect()
    return {(json.loads(r.raw)["user"], r.reason) for r in rows}


def prices(lake: Lake) -> dict[str, Any]:
    return {r.user_id: r.price and float(r.price) for r in lake.tables["events"].collect()}


def test_a_renamed_column_is_read_and_what_may_not_change_is_set_aside(spark: SparkSession, tmp_path: Path) -> None:
    write_csv(tmp_path, "a.csv", "user,item,title,price,at\nu1,i,Mug,1.5,2024-03-01\n")
    strict = INVOICES | {"drift": {"renamed": "evolve", "retyped": "quarantine"}}
    lake = Lake(spark, settings(tmp_path, strict))
    lake.run()
    write_csv(tmp_path, "b.csv", "user,item,title,Price,at\nu2,i,Mug,2.5,2024-03-02\n")
    refused = write_csv(tmp_path, "c.csv", "user,item,title,at\nu3,i,Mug,2024-03-03\n")
    with pytest.raises(InputError, match=r"c\.csv: expected the columns price .*, found user, item, title, at"):
        lake.run()
    refused.unlink()
    write_csv(tmp_path, "d.csv", "user,item,title,price,at\nu4,i,Mug,dear,2024-03-04\nu5,i,Mug,3.5,2024-03-04\n")
    lake.run()
    assert prices(lake) == {"u1": 1.5, "u2": 2.5}
    assert reasons(lake) == {("u4", "schema: retyped price"), ("u5", "schema: retyped price")}
    told = lake.tables["column_changes"].where("change <> 'first'").orderBy("place").collect()
    assert [(r.column, r.change, r.was, r.found, r.policy) for r in told] == [
        ("price", "renamed", "title", "Price", "evolve"),
        ("price", "retyped", "number", "text", "quarantine"),
    ]
    # Cleaned again under another policy, as jobs/replay.py does: what is good is kept, what is not for its own reason.
    lake.night = night(date(2024, 4, 1), settings(tmp_path, INVOICES | {"drift": {"renamed": "evolve"}}))
    for name in ("cleaned_files", "events", "item_records", "quarantine"):
        lake.tables[name] = lake.tables[name].limit(0)
    lake.run()
    assert prices(lake) == {"u1": 1.5, "u2": 2.5, "u5": 3.5}
    assert reasons(lake) == {("u4", "unparsable price")}


def test_a_delta_source_and_json_lines_are_compared_too(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "table")
    columns = "user string, item string, title string, price double, at string"
    frame = spark.createDataFrame([("u1", "i", "Mug", 1.5, "2024-03-01")], columns)
    frame.write.format("delta").save(path)
    write_jsonl(tmp_path, "a.jsonl", [event("e1", price=1)])
    lake = Lake(spark, settings(tmp_path, INVOICES | {"format": "delta", "path": path}, EVENTS))
    lake.run()
    more = spark.createDataFrame([("u2", "i", "Mug", 2.5, "2024-03-02", 1)], f"{columns}, more int")
    more.write.format("delta").mode("append").option("mergeSchema", True).save(path)
    write_jsonl(tmp_path, "b.jsonl", [event("e2", channel="app"), event("e3")])
    lake.run()
    told = lake.tables["column_changes"].where("change <> 'first'").collect()
    assert {(r.source, r.column, r.change, r.found) for r in told} == {
        ("invoices", "more", "new", "number"),
        ("clicks", "channel", "new", "text"),
    }
    # The rows that were there before have nothing new: they land once.
    invoices = lake.tables["events"].where("source = 'invoices'").collect()
    assert {r.user_id: r.copies for r in invoices} == {"u1": 1, "u2": 1}
