"""The search: it finds what is planted, prunes, goes on after a kill, and leaves a row a trial."""

from __future__ import annotations

import tomllib
import uuid
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from recsynth.errors import InputError, SettingsError
from recsynth.ledger import Ledger
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.store import Store
from recsynth.tables.model import TRIALS
from recsynth.training import tune as room
from recsynth.training.loop import Trainer
from recsynth.training.space import Space
from recsynth.training.tune import tune
from tests.model.tiny import tiny_model
from tests.rows import night
from tests.training.planted import quick, write_planted

AS_OF = date(2024, 4, 1)
SEED = 3  # of those under which three draws have both of two choices
CONF = Path(__file__).parents[2] / "conf"
# A rate this small moves nothing.
TWO_RATES = "[training]\nlearning_rate = { choices = [1e-12, 3e-3] }\n"


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Ledger, Night]:
    """A lake whose shards are planted and whose model is tiny."""

    def planted(folder: Path, **frames: DataFrame) -> int:
        assert sorted(frames) == sorted(table.short for table in room.INPUTS)
        write_planted(folder)
        return 60

    monkeypatch.setattr(room, "write_shards", planted)
    monkeypatch.setattr(room, "starting_model", lambda *start: tiny_model(tmp_path / "encoder"))
    base = quick(head_learning_rate=1e-12, max_steps=10)
    values = {"paths": {"lake": str(tmp_path / "lake")}, "training": base.model_dump()}
    settings = Settings.model_validate(values | {"seed": SEED})
    return Ledger(Store(spark, settings.paths.lake)), night(AS_OF, settings)


def space(folder: Path, text: str = TWO_RATES) -> Space:
    (folder / "space.toml").write_text(text)
    return Space.load(folder / "space.toml")


def search(lake: tuple[Ledger, Night], folder: Path, trials: int) -> str:
    ledger, of = lake
    return tune(ledger, Night(uuid.uuid4().hex, of.as_of, of.started_at, of.settings), space(folder), trials)


def rows(lake: tuple[Ledger, Night]) -> list[tuple[object, ...]]:
    found = lake[0].store.read(TRIALS).orderBy("trial").collect()
    return [(r.study, r.state, r.params["learning_rate"], round(r.value, 6), r.seed) for r in found]


def counted(monkeypatch: pytest.MonkeyPatch, dies_at: int = -1) -> list[int]:
    """The trials that are trained from now on; the one of that place dies at its first validation."""
    begun: list[int] = []
    run = Trainer.run

    def counting(self: Trainer, checkpoints: Path, report: Callable[[int, float], None] | None = None) -> object:
        begun.append(len(begun))
        if begun[-1] == dies_at:
            raise KeyboardInterrupt
        return run(self, checkpoints, report)

    monkeypatch.setattr(Trainer, "run", counting)
    return begun


@pytest.mark.slow
def test_the_better_of_two_rates_is_found_and_a_killed_search_ends_the_same(
    lake: tuple[Ledger, Night], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        begun = counted(patch, dies_at=1)
        with pytest.raises(KeyboardInterrupt):
            search(lake, tmp_path, 3)
        assert begun == [0, 1]
    ((study, *_),) = rows(lake)
    # A kill leaves more behind than an interrupt: a trial that runs, a row not written, half a line of the journal.
    room.open_study(lake[1], str(study)).ask()
    lake[0].store.delete(TRIALS, "true")
    journal = Path(lake[1].settings.paths.lake) / "_tuning" / "journal.log"
    with journal.open("ab") as file:
        file.write(b'{"op_code":4,"wor')
    with monkeypatch.context() as patch:
        begun = counted(patch)
        found = tomllib.loads(search(lake, tmp_path, 3))
        assert begun == [0, 1]
        resumed = rows(lake)
        search(lake, tmp_path, 3)
        assert begun == [0, 1]
    assert found == {"training": {"learning_rate": 3e-3}}
    assert {r[2] for r in resumed} == {"1e-12", "0.003"}
    assert {(r[0], r[4]) for r in resumed} == {(study, lake[1].seed("train"))}
    journal.unlink()
    lake[0].store.delete(TRIALS, "true")
    search(lake, tmp_path, 3)
    assert rows(lake) == resumed


def test_a_trial_below_the_median_is_pruned_and_recorded(
    lake: tuple[Ledger, Night], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "STARTUP_TRIALS", 1)
    reached = iter([0.5, 0.6, 0.1, 0.2])

    def run(self: Trainer, checkpoints: Path, report: Callable[[int, float], None]) -> object:
        self.progress.best = 0.0
        for step in (5, 10):
            value = next(reached)
            self.progress.best = max(self.progress.best, value)
            report(step, value)
        return self.progress

    monkeypatch.setattr(Trainer, "run", run)
    search(lake, tmp_path, 2)
    assert [(r[1], r[3]) for r in rows(lake)] == [("complete", 0.6), ("pruned", 0.1)]


def test_a_callback_changes_nothing_and_may_stop(tmp_path: Path) -> None:
    write_planted(tmp_path / "shards")

    def train(name: str, report: Callable[[int, float], None] | None) -> Trainer:
        trainer = Trainer(tiny_model(tmp_path / "encoder"), tmp_path / "shards", quick(max_steps=10), seed=3)
        trainer.run(tmp_path / name, report)
        return trainer

    told: list[tuple[int, float]] = []
    silent, watched = train("a", None), train("b", lambda step, ndcg: told.append((step, ndcg)))
    assert watched.progress == silent.progress
    assert told == [(p["step"], p["ndcg@10"]) for p in silent.progress.curve if "ndcg@10" in p]

    def stop(step: int, ndcg: float) -> None:
        raise StopIteration

    with pytest.raises(StopIteration):
        train("c", stop)


def test_a_date_without_a_night_is_one_clear_error(spark: SparkSession, tmp_path: Path) -> None:
    settings = Settings.model_validate({"paths": {"lake": str(tmp_path / "lake")}})
    with pytest.raises(InputError, match=r"2024-04-01: expected a night of this date up to item_text.*0 users"):
        tune(Ledger(Store(spark, settings.paths.lake)), night(AS_OF, settings), space(tmp_path), 1)


def test_the_space_beside_the_configurations_is_valid() -> None:
    assert "learning_rate" in Space.load(CONF / "models/minilm.toml").training


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rat = { low = 1e-5, high = 1e-3 }", "training.learning_rat: expected one of"),
        ("processes = { choices = [1, 2] }", "training.processes: expected one of"),
        ("learning_rate = { low = 1e-3, high = 1e-5 }", "training.learning_rate: Value error, low < high"),
        ("learning_rate = { low = 0.0, high = 1e-3 }", "training.learning_rate: Input should be greater than 0"),
        ("loss = { choices = ['hinge'] }", "training.loss: Input should be 'sampled_softmax'"),
        ("dropout = { low = 0.0, high = 0.5, choices = [0.1] }", "not both"),
        ("weight_decay = { lowest = 1 }", "training.weight_decay.lowest: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_space_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        space(tmp_path, f"[training]\n{text}\n")
