"""The launcher: two gloo processes from the driver, shards in, a model folder out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from recsynth.model.folder import check_folder, read_card, write_model
from recsynth.training.distributed import launch
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
