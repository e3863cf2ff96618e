"""Nights with next to nothing in them, and input that no night can begin with."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from recsynth.errors import ContractError, InputError, ModelError, RecsynthError
from recsynth.nightly import run_night
from recsynth.settings import Settings
from recsynth.store import ABSENT, Store
from recsynth.tables import TABLES
from recsynth.tables.model import MODELS
from recsynth.tables.ops import PUBLISHED
from recsynth.tables.output import RECOMMENDATIONS
from tests.rows import table
from tests.sources import INVOICES, settings, write_csv

AS_OF = date(2024, 4, 1)
HEADER = "user,item,at,price,title\n"
ONE = HEADER + "u,i,2024-03-01T12:00:00,2.5,A BLUE MUG\n"


def small(tmp_path: Path) -> Settings:
    return settings(tmp_path, INVOICES, gold={"windows": {"count": 1, "days": 7}})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "lists"), [(HEADER, []), (ONE, [("*", 1, "i"), ("u", 1, "i")])], ids=["no event", "one event"]
)
def test_a_night_with_next_to_nothing_completes_with_well_formed_tables(
    spark: SparkSession, tmp_path: Path, text: str, lists: list[tuple[str, int, str]]
) -> None:
    write_csv(tmp_path, "2024-03-01.csv", text)
    page = run_night(spark, small(tmp_path), AS_OF)
    store = Store(spark, small(tmp_path).paths.lake)
    found = store.read_night(RECOMMENDATIONS, AS_OF).collect()
    assert sorted((r.user_id, r.rank, r.item_id) for r in found) == lists
    assert all(r.reason for r in found)
    # Reading checks each table's schema against its declaration.
    assert all(store.read(t).columns for t in TABLES.values() if store.version(t) != ABSENT)
    assert [r.run_date for r in store.read(PUBLISHED).collect()] == [AS_OF]
    assert "</html>" in page.read_text()


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("no folder", InputError, "the landing folder .* no such folder"),
        ("empty folder", InputError, "files of source invoices, found none"),
        ("no csv", InputError, "binary content"),
        ("other delimiter", InputError, "the columns .*delimiter ','.* found user;item"),
        ("no column", InputError, "the columns price"),
        ("too early", InputError, "as-of date 2024-04-01: expected an event before it"),
        ("other schema", ContractError, "schema_version: expected 1, found 99"),
        ("model without manifest", ModelError, r"expected a model with manifest\.json, found none"),
    ],
)
def test_what_no_night_can_begin_with_is_one_clear_error_and_nothing_is_written(
    spark: SparkSession, tmp_path: Path, fault: str, error: type[RecsynthError], message: str
) -> None:
    landing, chosen = tmp_path / "landing", small(tmp_path)
    store = Store(spark, chosen.paths.lake)
    texts: dict[str, str] = {
        "no csv": "PK\0\0", "other delimiter": ONE.replace(",", ";"), "no column": ONE.replace("price", "cost"),
        "too early": ONE.replace("2024-03", "2024-05"),
    }  # fmt: skip
    if fault == "empty folder":
        landing.mkdir()
    elif fault != "no folder":
        write_csv(tmp_path, "2024-03-01.csv", texts.get(fault, ONE))
    if fault == "other schema":
        Path(store.lake).mkdir()
        (Path(store.lake) / "_recsynth.json").write_text(json.dumps({"schema_version": 99}))
    if fault == "model without manifest":
        model = dict.fromkeys(("model_version", "path", "base", "method", "sha256"), "x")
        row = model | {"data_versions": {}, "metrics": {}, "is_champion": True}
        store.write(MODELS, table(spark, MODELS, [row]), date(2024, 3, 31))
    before = {n: store.version(t) for n, t in TABLES.items() if t.layer != "ops"}
    with pytest.raises(error, match=message):
        run_night(spark, chosen, AS_OF)
    assert {n: store.version(t) for n, t in TABLES.items() if t.layer != "ops"} == before
    assert not store.read(PUBLISHED).take(1)
