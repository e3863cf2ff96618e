"""With pseudonyms on, no user id reaches the lake; the same person stays one person, under one key alone."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from recsynth.erasure import stored
from recsynth.errors import InputError, SettingsError
from recsynth.pseudonyms import KEY, is_pseudonym, pseudonym, tag
from recsynth.settings import Settings
from tests.bronze.test_land import Bronze
from tests.rows import night
from tests.silver.test_clean import Lake
from tests.sources import EVENTS, INVOICES, event, settings, write_csv, write_jsonl

SECRET, OTHER = "k" * 32, "an other key of 32 bytes or more"
ANNA = "anna@example.org"


def configured(folder: Path, *sources: dict[str, Any], on: bool = True) -> Settings:
    return settings(folder, *(sources or (EVENTS,)), landing={"pseudonyms": on})


def everything(lake: Lake) -> str:
    """All that the tables hold, as one text."""
    return "\n".join(str(r) for rows in lake.tables.values() for r in rows.collect())


def test_no_id_reaches_a_table_and_a_person_stays_one(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, SECRET)
    write_jsonl(tmp_path, "a.jsonl", [
        event("e1", user_id=ANNA, price=1.10), event("e2", user_id=f" {ANNA} ", sku="7"), event("e3", user_id=1234567),
        event("e4", user_id=ANNA, quantity="-1"), event("e5", user_id=None), event("e6", user_id=" "),
        f'{{"user_id": "{ANNA}", torn', f"{{'user_id': '{ANNA}'}}",
    ])  # fmt: skip
    write_csv(tmp_path, "b.csv", f'user,item,title,price,at\n"{ANNA}",i,"A ""Mug""",1.5,2024-03-01\n{ANNA},torn\n')
    lake = Lake(spark, configured(tmp_path, EVENTS, INVOICES))
    lake.run()
    anna = pseudonym(SECRET.encode(), ANNA)
    found = {(r.event_id if r.source == "clicks" else "csv"): r for r in lake.tables["events"].collect()}
    assert {k: r.user_id for k, r in found.items()} == {
        "e1": anna, "e2": anna, "csv": anna, "e3": pseudonym(SECRET.encode(), "1234567"),
    }  # fmt: skip
    assert float(found["e1"].price) == 1.1
    assert {r["title"] for r in lake.tables["item_records"].collect()} == {'A "Mug"'}
    reasons = sorted(r.reason for r in lake.tables["quarantine"].collect())
    assert reasons == [*["malformed row"] * 3, "missing user_id", "missing user_id", "quantity not positive"]
    told = everything(lake)
    assert anna in told
    assert not re.search("anna|example|1234567|kkkk", told)
    # Everything that landed is still accounted for.
    lake.account()
    assert sum(r.rows for r in lake.tables["landed_files"].collect()) == 10


def test_a_renamed_column_of_ids_is_hidden_too_and_rows_of_a_table_land_once(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, SECRET)
    source = INVOICES | {"drift": {"renamed": "evolve"}, "aliases": {"user": ["customer"]}}
    write_csv(tmp_path, "a.csv", f"U_ser,item,title,price,at\n{ANNA},i,Mug,1.5,2024-03-01\n")
    write_csv(tmp_path, "b.csv", f"customer,item,title,price,at\n{ANNA},j,Mug,1.5,2024-03-01\n")
    path, columns = str(tmp_path / "table"), "user string, item string, title string, price double, at string"
    spark.createDataFrame([(ANNA, "i", "Mug", 1.5, "2024-03-01")], columns).write.format("delta").save(path)
    delta = INVOICES | {"name": "orders", "format": "delta", "path": path}
    bronze = Bronze(spark, configured(tmp_path, source, delta))
    bronze.land()
    anna = pseudonym(SECRET.encode(), ANNA)
    names = ("user", "U_ser", "customer")
    assert [next(r.fields[n] for n in names if n in r.fields) for r in bronze.rows.collect()] == [anna] * 3
    assert {json.loads(r.raw).keys() & set(names) and anna in r.raw for r in bronze.rows.collect()} == {True}
    assert bronze.land() == {}


def test_one_key_from_the_first_landing_on_or_never(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_jsonl(tmp_path, "a.jsonl", [event("e0", user_id=None), event("e1", user_id=ANNA)])
    monkeypatch.delenv(KEY, raising=False)
    with pytest.raises(SettingsError, match=f"{KEY}: expected a secret of at least 32 bytes .* found 0 bytes"):
        Bronze(spark, configured(tmp_path)).land()
    monkeypatch.setenv(KEY, SECRET)
    hidden, plain = Bronze(spark, configured(tmp_path)), Bronze(spark, configured(tmp_path, on=False))
    hidden.land()
    plain.land()
    write_jsonl(tmp_path, "b.jsonl", [event("e2", user_id="ben")])
    plain.night = night(date(2024, 4, 1), configured(tmp_path))
    with pytest.raises(InputError, match=r"source clicks: expected the pseudonyms of RECSYNTH_ID_KEY .* plain ids"):
        plain.land()
    monkeypatch.setenv(KEY, OTHER)
    with pytest.raises(InputError, match="found those of another key") as raised:
        hidden.land()
    assert OTHER not in str(raised.value)
    hidden.night = night(date(2024, 4, 1), configured(tmp_path, on=False))
    with pytest.raises(InputError, match=r"expected landing\.pseudonyms = true"):
        hidden.land()


def test_who_is_to_be_erased_may_be_named_either_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, SECRET)
    anna = pseudonym(SECRET.encode(), ANNA)
    assert is_pseudonym(anna)
    assert anna.startswith(tag(SECRET.encode()))
    assert anna != pseudonym(OTHER.encode(), ANNA)
    assert stored(configured(tmp_path), [ANNA, anna]) == [anna]
    assert stored(configured(tmp_path, on=False), [ANNA]) == [ANNA]
