"""What the lake keeps: what is removed and what stays, in whatever order, killed anywhere; many nights on end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from recsynth.errors import ModelError
from recsynth.faults import FaultError, planted
from recsynth.ledger import Ledger
from recsynth.model.champion import champion
from recsynth.nightly import tidy_lake
from recsynth.pipeline import STAGES
from recsynth.retention import Tidied, is_due, tidy
from recsynth.rollback import roll_back
from recsynth.settings import RetentionSettings, Settings
from recsynth.stage import Night
from recsynth.store import Store
from recsynth.tables import RUN_DATE, Table
from recsynth.tables.bronze import LANDED_FILES
from recsynth.tables.gold import HISTORIES
from recsynth.tables.model import CLASSIFIERS, ITEM_EMBEDDINGS, MODELS
from recsynth.tables.ops import METRICS, PUBLISHED, STAGE_RUNS
from recsynth.tables.output import RECOMMENDATIONS
from recsynth.tables.synthesis import SYNTHETIC_HISTORIES
from tests.rows import table

NIGHTS = [date(2024, 3, day) for day in (1, 2, 3, 4, 5)]
START = datetime(2024, 3, 1, tzinfo=UTC)
STAGE_NAMES = ("land", "histories", "train", "embed_texts", "recommend", "evaluate")
KEEP_TWO = RetentionSettings(nights=2)
# Night n makes m<n>; the champions are those of the first, second and third. c2 is the last sentiment champion.
CROWNED = {1: True, 2: True, 3: True, 4: False, 5: False}


PLAIN = {"string": "x", "bigint": 1, "int": 1, "boolean": False, "double": 0.5, "timestamp": START}


def row(of: Table, **said: Any) -> dict[str, Any]:
    """A row of a table, the columns that nothing is said of in the plainest valid way."""
    empty = {c.name: [] if c.type.startswith("array") else {} for c in of.columns if "<" in c.type}
    return {c.name: PLAIN.get(c.type) for c in of.columns if c.required} | empty | said


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five published nights, each with a model, a classifier, a generator and rows."""
    path = tmp_path_factory.mktemp("nights") / "lake"
    store = Store(spark, str(path))
    runs, shown, vectors = [], [], []
    for number, night in enumerate(NIGHTS, start=1):
        rows = {
            MODELS: row(MODELS, model_version=f"m{number}", path=f"_models/m{number}",
                        is_champion=CROWNED[number]),
            CLASSIFIERS: row(CLASSIFIERS, model_version=f"c{number}", task="sentiment", is_champion=number <= 2),
            SYNTHETIC_HISTORIES: row(SYNTHETIC_HISTORIES, model_version=f"g{number}", items=["x"]),
            RECOMMENDATIONS: row(RECOMMENDATIONS), HISTORIES: row(HISTORIES), METRICS: row(METRICS),
        }  # fmt: skip
        for written, one in rows.items():
            store.write(written, table(spark, written, [one]), night, "x")
        for name in (f"m{number}", f"c{number}", f"g{number}"):
            (path / "_models" / name).mkdir(parents=True)
        (path / "_experiments" / "tensorboard" / str(night)).mkdir(parents=True)
        vectors.append(row(ITEM_EMBEDDINGS, model_version=f"m{number}", kind="item", vector=[1.0]))
        runs += [row(STAGE_RUNS, run_id=f"r{number}", run_date=night, stage=stage, status="complete")
                 for stage in STAGE_NAMES]  # fmt: skip
        shown.append({"run_date": night, "run_id": f"r{number}", "versions": {},
                      "published_at": START + timedelta(days=number)})  # fmt: skip
    store.write(ITEM_EMBEDDINGS, table(spark, ITEM_EMBEDDINGS, vectors), NIGHTS[-1])
    store.write(LANDED_FILES, table(spark, LANDED_FILES, [row(LANDED_FILES)]), NIGHTS[-1])
    store.write(STAGE_RUNS, table(spark, STAGE_RUNS, runs), NIGHTS[-1])
    shown[-1]["versions"] = {t.name: store.version(t) for t in (HISTORIES, METRICS, SYNTHETIC_HISTORIES)}
    # A night that was rolled back has changed one of its tables since.
    shown[-1]["versions"][SYNTHETIC_HISTORIES.name] -= 1
    store.write(PUBLISHED, table(spark, PUBLISHED, shown), NIGHTS[-1])
    return path


class Hasty(Store):
    """A store that leaves its files as they are, which takes most of the time."""

    def tidy(self, table: Table, history_days: int, compact: bool) -> None:
        """Nothing."""


@pytest.fixture
def ledger(spark: SparkSession, lake: Path, tmp_path: Path) -> Ledger:
    """The ledger of a copy of that lake."""
    return Ledger(Hasty(spark, str(shutil.copytree(lake, tmp_path / "lake"))))


@pytest.fixture(scope="module")
def two(spark: SparkSession, lake: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ledger, Tidied]:
    """A copy of it that two nights were kept of, and what that removed."""
    path = shutil.copytree(lake, tmp_path_factory.mktemp("two") / "lake")
    ledger = Ledger(Store(spark, str(path)))
    return ledger, tidy(ledger, KEEP_TWO, STAGES)


def nights(ledger: Ledger, of: Table) -> list[int]:
    return sorted(r.run_date.day for r in ledger.store.read(of).select(RUN_DATE).distinct().collect())


def versions(ledger: Ledger) -> dict[str, int]:
    newest = ledger.store.read(PUBLISHED).orderBy(RUN_DATE).collect()[-1]
    return dict(newest.versions)


def folders(ledger: Ledger) -> set[str]:
    return {path.name for path in (Path(ledger.store.lake) / "_models").iterdir()}


def test_older_nights_lose_what_they_were_made_of_and_readers_lose_nothing(two: tuple[Ledger, Tidied]) -> None:
    ledger, tidied = two
    assert (tidied.cut, tidied.nights) == (NIGHTS[3], {HISTORIES.name: 3, SYNTHETIC_HISTORIES.name: 3})
    assert nights(ledger, HISTORIES) == nights(ledger, SYNTHETIC_HISTORIES) == [4, 5]
    for kept in (RECOMMENDATIONS, METRICS, MODELS, CLASSIFIERS, PUBLISHED):
        assert nights(ledger, kept) == [1, 2, 3, 4, 5]


def test_models_stay_that_a_kept_night_made_or_began_from(two: tuple[Ledger, Tidied]) -> None:
    ledger, tidied = two
    # m3 and c2 are what the night of the 4th began with.
    assert folders(ledger) == {"m3", "m4", "m5", "c2", "c4", "c5", "g4", "g5"}
    assert tidied.models == ["c1", "c3", "g1", "g2", "g3", "m1", "m2"]
    assert {r.model_version for r in ledger.store.read(ITEM_EMBEDDINGS).collect()} == {"m3", "m4", "m5"}
    best = champion(ledger.store.read(MODELS))
    assert best is not None
    assert best.model_version == "m3"
    # What is gone is nobody's champion: a run of an older date begins without one.
    assert champion(ledger.store.read(MODELS).where("run_date < '2024-03-03'")) is None


def test_curves_stay_of_the_kept_nights(two: tuple[Ledger, Tidied]) -> None:
    curves = Path(two[0].store.lake) / "_experiments" / "tensorboard"
    assert sorted(f.name for f in curves.iterdir()) == [str(NIGHTS[3]), str(NIGHTS[4])]


def test_a_run_of_an_older_date_does_all_of_it_anew_and_of_a_kept_one_nothing(two: tuple[Ledger, Tidied]) -> None:
    ledger, _ = two
    # What landed stays landed: it is of no night.
    assert set(ledger.fingerprints(NIGHTS[0])) == {"land"}
    assert set(ledger.fingerprints(NIGHTS[3])) == set(STAGE_NAMES)


def test_tables_have_a_length_of_their_own(ledger: Ledger) -> None:
    tables = {HISTORIES.name: 3, RECOMMENDATIONS.name: 1, SYNTHETIC_HISTORIES.name: 0}
    tidy(ledger, RetentionSettings(nights=2, tables=tables), STAGES)
    assert nights(ledger, HISTORIES) == [3, 4, 5]
    assert nights(ledger, RECOMMENDATIONS) == [5]
    assert nights(ledger, SYNTHETIC_HISTORIES) == [1, 2, 3, 4, 5]
    # What wrote the lists of the 4th is not done, for they are gone; the rest of that night is.
    assert set(ledger.fingerprints(NIGHTS[3])) == set(STAGE_NAMES) - {"recommend"}
    assert set(ledger.fingerprints(NIGHTS[4])) == set(STAGE_NAMES)


def test_a_training_that_was_killed_goes_on_unless_its_date_is_of_no_kept_night(ledger: Ledger) -> None:
    models = Path(ledger.store.lake) / "_models"
    for night in (NIGHTS[0], NIGHTS[4], date(2024, 3, 6)):
        (models / f"{night}.part").mkdir()
    assert "2024-03-01.part" in tidy(ledger, KEEP_TWO, STAGES).models
    assert {f.name for f in models.glob("*.part")} == {"2024-03-05.part", "2024-03-06.part"}


@pytest.mark.parametrize("kept", [0, 5, 6])
def test_nothing_goes_where_all_nights_are_kept(ledger: Ledger, kept: int) -> None:
    tidied = tidy(ledger, RetentionSettings(nights=kept), STAGES)
    assert (tidied.cut, tidied.nights, tidied.models) == (None, {}, [])
    assert nights(ledger, HISTORIES) == [1, 2, 3, 4, 5]
    assert len(folders(ledger)) == 15


def test_twice_is_once_and_no_stage_is_told_of_anything_new(two: tuple[Ledger, Tidied]) -> None:
    ledger, _ = two
    # Its version is what tells a stage that something landed: it is as it was written.
    assert ledger.store.version(LANDED_FILES) == 1
    before = ledger.store.versions()
    assert tidy(ledger, KEEP_TWO, STAGES).nights == {}
    assert ledger.store.versions() == before


@pytest.mark.parametrize("point", ["forgotten", "models", "nights"])
def test_killed_anywhere_the_next_call_ends_it(ledger: Ledger, point: str) -> None:
    with planted(f"tidy.{point}", "raise"), pytest.raises(FaultError):
        tidy(ledger, KEEP_TWO, STAGES)
    # Whatever is gone by now, no run takes it for there.
    assert "histories" not in ledger.fingerprints(NIGHTS[0])
    tidy(ledger, KEEP_TWO, STAGES)
    assert (nights(ledger, HISTORIES), len(folders(ledger))) == ([4, 5], 8)


def test_readers_go_back_to_a_night_that_is_kept(ledger: Ledger) -> None:
    tidy(ledger, KEEP_TWO, STAGES)
    # No folder of the fixture is a model: what is asked for is that of the night's champion.
    with pytest.raises(ModelError, match="m3"):
        roll_back(ledger, NIGHTS[3])
    assert roll_back(ledger, NIGHTS[1]) == [NIGHTS[2], NIGHTS[3], NIGHTS[4]]


def test_it_is_due_after_so_many_published_nights(ledger: Ledger, tmp_path: Path) -> None:
    assert is_due(ledger, RetentionSettings(every=5))
    assert not is_due(ledger, RetentionSettings(every=6))
    assert not is_due(ledger, RetentionSettings(every=0))
    settings = Settings.model_validate({"paths": {"lake": ledger.store.lake}, "retention": {"nights": 2}})
    at = Night("now", NIGHTS[4], START + timedelta(days=3.5), settings)
    told = versions(ledger)
    assert tidy_lake(ledger, at).cut == NIGHTS[3]
    # Readers of the newest night follow what tidying changed, but for what is another night's by now.
    changed = ledger.store.version(HISTORIES)
    assert changed > told[HISTORIES.name]
    assert versions(ledger) == told | {HISTORIES.name: changed}
    assert ledger.store.version(SYNTHETIC_HISTORIES) > told[SYNTHETIC_HISTORIES.name]
    # Two nights were published since.
    assert is_due(ledger, RetentionSettings(every=2))
    assert not is_due(ledger, RetentionSettings(every=3))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"tables": {"output.recomendations": 3}}, "expected a nightly table.*'output.recomendations'"),
        ({"tables": {"silver.events": 3}}, "expected a nightly table.*'silver.events'"),
        ({"tables": {"model.models": 3}}, "later nights are judged by or begin from, found 'model.models'"),
        ({"tables": {"ops.checks": 3}}, "later nights are judged by or begin from, found 'ops.checks'"),
        ({"tables": {"output.ad_copy": -1}}, "0 or more, found -1"),
        ({"history_days": 6}, "greater than or equal to 7"),
    ],
)
def test_what_cannot_be_kept_so_is_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RetentionSettings.model_validate(asked)


@pytest.fixture
def forgetful(spark: SparkSession) -> Iterator[RetentionSettings]:
    """Settings under which no version of yesterday can be read, which no shop may choose."""
    name = "spark.databricks.delta.retentionDurationCheck.enabled"
    before = spark.conf.get(name, "true")
    spark.conf.set(name, "false")
    yield RetentionSettings.model_construct(nights=3, tables={}, history_days=0, every=5)
    spark.conf.set(name, str(before))


@pytest.mark.slow
def test_many_nights_end_with_as_many_files_as_a_few(
    spark: SparkSession, tmp_path: Path, forgetful: RetentionSettings
) -> None:
    store = Store(spark, str(tmp_path / "lake"))
    ledger, sizes = Ledger(store), {}
    for number in range(1, 13):
        as_of = date(2024, 1, 1) + timedelta(days=number)
        night = Night(f"r{number}", as_of, datetime.now(UTC), Settings())
        if is_due(ledger, forgetful):
            tidy_lake(ledger, Night(f"r{number}", as_of, datetime.now(UTC), _with(forgetful)))
        store.write(HISTORIES, table(spark, HISTORIES, [row(HISTORIES, user_id=f"u{i}") for i in range(9)]), as_of)
        ledger.publish(night)
        if number % 4 == 0:
            tidy_lake(ledger, Night(f"t{number}", as_of, datetime.now(UTC), _with(forgetful)))
            files = [p for p in Path(store.path(HISTORIES)).rglob("*.parquet") if "_delta_log" not in p.parts]
            sizes[number] = (len(nights(ledger, HISTORIES)), len(files))
    assert sizes[4] == sizes[8] == sizes[12]
    assert sizes[12][0] == 3


def _with(retention: RetentionSettings) -> Settings:
    return Settings.model_construct(**{**dict(Settings()), "retention": retention})
