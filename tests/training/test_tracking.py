"""Trackers: what is logged is found again, below the lake, without a server; a second attempt replaces the first."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from recsynth.errors import SettingsError
from recsynth.training.tracking import Log, tracked
from tests.training.planted import trainer

PARAMS = {"learning_rate": 1e-4, "loss": "sampled_softmax"}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for another host fails."""
    connect = socket.socket.connect

    def local_alone(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else "unix"
        assert host in ("unix", "127.0.0.1", "localhost", "::1"), f"asked for {host}"
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", local_alone)
    for name in ("MLFLOW_TRACKING_URI", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)


def log_twice(name: str, folder: Path) -> None:
    for attempt in (1, 2):
        with tracked([name], folder, "2025-01-01", PARAMS) as log:
            for step in (1, 2, 3):
                log(step, {"loss": attempt / step, "ndcg@10": 0.1 * step})


def test_tensorboard_reads_the_curves_and_the_settings(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log_twice("tensorboard", tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard" / "2025-01-01"))
    events.Reload()
    assert [(e.step, round(e.value, 4)) for e in events.Scalars("loss")] == [(1, 2.0), (2, 1.0), (3, 0.6667)]
    assert [round(e.value, 4) for e in events.Scalars("ndcg@10")] == [0.1, 0.2, 0.3]
    assert b"learning_rate = 0.0001" in events.Tensors("settings/text_summary")[0].tensor_proto.string_val[0]


def test_mlflow_has_one_run_with_its_curves_and_settings(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    log_twice("mlflow", tmp_path)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("recsynth")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.params["loss"] == "sampled_softmax"
    assert [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "loss")] == [
        (1, 2.0), (2, 1.0), (3, pytest.approx(2 / 3)),
    ]  # fmt: skip
    assert len(client.get_metric_history(run.info.run_id, "ndcg_at_10")) == 3


@pytest.mark.slow
def test_weights_and_biases_writes_offline_runs(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    log_twice("wandb", tmp_path)
    runs = list((tmp_path / "wandb" / "wandb").glob("offline-run-*/*.wandb"))
    assert len(runs) == 2
    assert all(run.stat().st_size > 500 for run in runs)


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_tracker_that_is_not_installed_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SettingsError, match=f"expected the package {name}, found none: install recsynth"):
        log_twice(name, tmp_path)


def test_several_trackers_hear_the_same_and_none_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, str, int, float]] = []

    @contextmanager
    def fake(folder: Path, run: str, params: Mapping[str, Any]) -> Iterator[Log]:
        yield lambda step, figures: heard.append((folder.name, run, step, figures["loss"]))

    monkeypatch.setattr("recsynth.training.tracking.TRACKERS", {"one": fake, "other": fake})
    with tracked(["one", "other"], tmp_path, "2025-01-01", PARAMS) as log:
        log(3, {"loss": 0.5})
    assert heard == [("one", "2025-01-01", 3, 0.5), ("other", "2025-01-01", 3, 0.5)]
    with tracked([], tmp_path, "2025-01-01", PARAMS) as log:
        log(1, {"loss": 1.0})
    assert len(heard) == 2


def test_a_training_tells_each_step_and_validation_and_changes_by_nothing(tmp_path: Path) -> None:
    heard: list[tuple[int, dict[str, float]]] = []
    quiet = trainer(tmp_path, max_steps=6).run(tmp_path / "quiet")
    told = trainer(tmp_path, max_steps=6).run(tmp_path / "told", track=lambda s, f: heard.append((s, dict(f))))
    assert told == quiet
    assert [(s, f["loss"]) for s, f in heard if "loss" in f] == [(p["step"], p["loss"]) for p in told.curve]
    assert [s for s, f in heard if "ndcg@10" in f] == [5, 6]
    assert all(f["learning rate"] > 0 for s, f in heard if "loss" in f and s < 6)
