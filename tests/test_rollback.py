"""Back to an earlier night: what readers see, which model is the champion, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from recsynth.apps.classify import classifier_in_use
from recsynth.errors import InputError, ModelError
from recsynth.ledger import Ledger
from recsynth.model.champion import champion
from recsynth.model.folder import write_model
from recsynth.rollback import roll_back
from recsynth.store import Store
from recsynth.tables.model import CLASSIFIERS, MODELS
from recsynth.tables.ops import PUBLISHED, STAGE_RUNS
from tests.model.tiny import tiny_model
from tests.rows import table

FIRST, SECOND, THIRD = (date(2024, 3, d) for d in (1, 2, 3))
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def ledger(spark: SparkSession, tmp_path: Path) -> Ledger:
    """Three nights, a champion each of the first and the third; the second one's model was not better."""
    store = Store(spark, str(tmp_path / "lake"))
    write_model(tiny_model(tmp_path / "encoder"), tmp_path / "lake/_models/m1", {})
    runs, rows = [], []
    for number, night in enumerate((FIRST, SECOND, THIRD), start=1):
        model = {"model_version": f"m{number}", "path": f"_models/m{number}", "base": "b", "method": "l",
                 "data_versions": {}, "metrics": {}, "sha256": "s", "is_champion": number != 2}  # fmt: skip
        store.write(MODELS, table(spark, MODELS, [model]), night)
        reader = {"task": "sentiment", "model_version": f"c{number}", "path": "p", "base": "words", "classes": [],
                  "texts": 1, "metrics": {}, "is_champion": number != 2}  # fmt: skip
        store.write(CLASSIFIERS, table(spark, CLASSIFIERS, [reader]), night)
        runs.append({"run_id": f"r{number}", "run_date": night, "stage": "train", "status": "complete",
                     "fingerprint": "f", "versions_read": {}, "versions_written": {}, "rows_written": {},
                     "seconds": 1.0, "started_at": NOON})  # fmt: skip
        rows.append({"run_date": night, "run_id": f"r{number}", "versions": {}, "published_at": NOON})
    store.write(STAGE_RUNS, table(spark, STAGE_RUNS, runs), THIRD)
    store.write(PUBLISHED, table(spark, PUBLISHED, rows), THIRD)
    return Ledger(store)


def published(ledger: Ledger) -> list[date]:
    return sorted(r.run_date for r in ledger.store.read(PUBLISHED).collect())


def test_readers_see_the_night_again_and_its_champion_is_the_champion(ledger: Ledger) -> None:
    assert roll_back(ledger, SECOND) == [THIRD]
    assert published(ledger) == [FIRST, SECOND]
    models = ledger.store.read(MODELS)
    best = champion(models)
    assert best is not None
    assert best.model_version == "m1"
    assert models.count() == 3
    reader = classifier_in_use(ledger.store.read(CLASSIFIERS), "sentiment")
    assert reader is not None
    assert reader.model_version == "c1"
    # A run of the night that was taken back finds nothing done; the others are as they were.
    assert (ledger.fingerprints(THIRD), ledger.fingerprints(SECOND)) == ({}, {"train": "f"})
    version = ledger.store.version(MODELS)
    assert roll_back(ledger, SECOND) == []
    assert ledger.store.version(MODELS) == version


def test_what_cannot_be_gone_back_to_is_refused_before_anything_changes(ledger: Ledger) -> None:
    with pytest.raises(InputError, match=r"night 2024-02-29: expected a published one .*2024-03-03.*found none"):
        roll_back(ledger, date(2024, 2, 29))
    (Path(ledger.store.lake) / "_models/m1/manifest.json").unlink()
    with pytest.raises(ModelError):
        roll_back(ledger, SECOND)
    assert published(ledger) == [FIRST, SECOND, THIRD]
