"""The launcher: two gloo processes from the driver, shards in, a model folder out."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from recsynth.errors import ModelError, SettingsError
from recsynth.model.folder import check_folder, read_card, write_model
from recsynth.training.distributed import launch
from recsynth.training.process import choose_device
from tests.model.tiny import tiny_model
from tests.training.planted import quick, write_planted


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_planted(tmp_path_factory.mktemp("planted") / "shards")


def trained(shards: Path, out: Path, start: Path, **changes: object) -> dict[str, object]:
    return launch(shards, out, str(start), quick(processes=2, **changes), seed=3)


@pytest.mark.slow
def test_two_processes_learn_the_planted_taste_and_leave_one_whole_model(
    spark: SparkSession, shards: Path, tmp_path: Path
) -> None:
    write_model(tiny_model(tmp_path / "encoder"), tmp_path / "start", {})
    figures = trained(shards, tmp_path / "model", tmp_path / "start")
    assert figures["best"] > figures["before"] + 0.05  # type: ignore[operator]
    check_folder(tmp_path / "model")
    card = read_card(tmp_path / "model")
    assert card["metrics"]["ndcg_after"] == pytest.approx(figures["best"])
    assert card["training"]["processes"] == 2
    # Weights travel by files: what reaches the driver is small and plain.
    assert len(json.dumps(figures)) < 10_000
    again = trained(shards, tmp_path / "again", tmp_path / "model", max_steps=1)
    assert again["before"] == pytest.approx(figures["best"], abs=1e-4)


@pytest.mark.slow
def test_a_rank_that_dies_is_noticed_at_once_and_training_goes_on_from_its_checkpoint(
    spark: SparkSession,
    shards: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    write_model(tiny_model(tmp_path / "encoder"), tmp_path / "start", {})
    whole = trained(shards, tmp_path / "whole" / "model", tmp_path / "start", max_steps=30)
    # The first of the two ranks that has written or awaited the checkpoint of the 20th step dies there.
    (tmp_path / "once").mkdir()
    monkeypatch.setenv("RECSYNTH_FAULT", "training.validated.20=kill")
    monkeypatch.setenv("RECSYNTH_FAULT_ONCE", str(tmp_path / "once"))
    started = time.time()
    with pytest.raises(RuntimeError):
        trained(shards, tmp_path / "killed" / "model", tmp_path / "start", max_steps=30)
    died = (tmp_path / "once" / "training.validated.20").stat().st_mtime
    assert died > started
    assert time.time() - died < 30
    # The first cause: not the other rank's broken connection alone.
    assert "Signal 9 (SIGKILL)" in "".join(capfd.readouterr())
    again = trained(shards, tmp_path / "killed" / "model", tmp_path / "start", max_steps=30)
    steps = [p["step"] for p in again["curve"]]  # type: ignore[attr-defined]
    assert steps == list(range(1, 31))
    assert again["curve"][:20] == whole["curve"][:20]  # type: ignore[index]
    check_folder(tmp_path / "killed" / "model")


@pytest.mark.slow
def test_a_rank_that_hangs_is_noticed_and_named_and_training_goes_on_from_its_checkpoint(
    spark: SparkSession,
    shards: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    write_model(tiny_model(tmp_path / "encoder"), tmp_path / "start", {})
    (tmp_path / "once").mkdir()
    monkeypatch.setenv("RECSYNTH_FAULT", "training.validated.10=hang")
    monkeypatch.setenv("RECSYNTH_FAULT_ONCE", str(tmp_path / "once"))
    changes = {"max_steps": 12, "hang_seconds": 15}
    with pytest.raises(RuntimeError):
        trained(shards, tmp_path / "hung" / "model", tmp_path / "start", **changes)
    hung = (tmp_path / "once" / "training.validated.10").stat().st_mtime
    # Without it: the ten minutes that a sum is waited for.
    assert 15 < time.time() - hung < 30
    said = "".join(capfd.readouterr())
    assert "training.hang_seconds: expected every process at its step within 15 s of the others" in said
    again = trained(shards, tmp_path / "hung" / "model", tmp_path / "start", **changes)
    assert "resumed at step 10" in "".join(capfd.readouterr())
    assert [p["step"] for p in again["curve"]] == list(range(1, 13))  # type: ignore[attr-defined]


@pytest.mark.parametrize(("use_gpu", "rank", "expected"), [(True, "0", 0), (True, "1", 1)])
def test_each_process_takes_a_gpu_of_its_own(
    monkeypatch: pytest.MonkeyPatch, use_gpu: bool, rank: str, expected: int
) -> None:
    taken: list[int] = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.set_device", taken.append)
    monkeypatch.setenv("LOCAL_RANK", rank)
    choose_device(use_gpu)
    assert taken == [expected]


def test_without_use_gpu_a_process_sees_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    choose_device(False)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_a_gpu_that_is_not_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ModelError, match=r"training\.use_gpu: expected a GPU that torch can use, found none"):
        choose_device(True)


@pytest.mark.parametrize("local_mode", [True, False])
def test_gpus_that_spark_was_not_told_of_are_one_clear_error(
    spark: SparkSession, tmp_path: Path, local_mode: bool
) -> None:
    with pytest.raises(SettingsError, match=r"training\.use_gpu: expected GPUs that Spark was told of, found: "):
        launch(tmp_path, tmp_path / "out", "", quick(use_gpu=True, local_mode=local_mode), seed=3)
