"""Checkpoints: what is damaged or of another training is passed over, the one before it is used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from recsynth.model.folder import sha256
from recsynth.training.checkpoints import Checkpoints, Progress
from tests.training.planted import run_until_killed, trainer


def steps(folder: Path) -> list[int]:
    return sorted(int(p.stem) for p in folder.glob("*.safetensors"))


def test_the_last_two_and_the_best_stay_and_no_more(tmp_path: Path) -> None:
    model, checkpoints = torch.nn.Linear(2, 2), Checkpoints(tmp_path, "this")
    for step in range(0, 60, 10):
        checkpoints.save(model, Progress(step=step, best_step=min(step, 20)))
    assert steps(tmp_path) == [20, 40, 50]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"{s:06d}.{kind}" for s in (20, 40, 50) for kind in ("json", "safetensors")
    ]
    checkpoints.save(model, Progress(step=60, best_step=20), also=[50, 40])
    assert steps(tmp_path) == [20, 40, 50, 60]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "half a progress", "no weights", "another training"])
def test_the_one_before_is_used(tmp_path: Path, damage: str) -> None:
    checkpoints = Checkpoints(tmp_path, "this")
    for step in (10, 20):
        checkpoints.save(torch.nn.Linear(2, 2), Progress(step=step, best_step=10, best=0.5))
    assert checkpoints.resume() == Progress(step=20, best_step=10, best=0.5)
    weights, marks = checkpoints.path(20), checkpoints.path(20).with_suffix(".json")
    if damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:50])
    elif damage == "flipped":
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
    elif damage == "half a progress":
        marks.write_text(marks.read_text()[:40])
    elif damage == "no weights":
        weights.unlink()
    else:
        marks.write_text(json.dumps(json.loads(marks.read_text()) | {"identity": "that"}))
    assert checkpoints.resume() == Progress(step=10, best_step=10, best=0.5)
    checkpoints.drop_after(10)
    assert checkpoints.last() == checkpoints.path(10)
    assert steps(tmp_path) == [10]
    checkpoints.save(torch.nn.Linear(2, 2), Progress(step=30, best_step=30))
    assert steps(tmp_path) == [10, 30]


def test_a_damaged_best_is_no_place_to_go_on_from(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "this")
    for step in (10, 20):
        checkpoints.save(torch.nn.Linear(2, 2), Progress(step=step, best_step=10))
    checkpoints.path(10).write_bytes(b"")
    assert checkpoints.resume() is None


def test_a_training_of_other_settings_begins_anew_and_ends_as_if_alone(tmp_path: Path) -> None:
    alone = trainer(tmp_path, max_steps=4, loss="mean_squared_error").run(tmp_path / "alone")
    trainer(tmp_path, max_steps=5).run(tmp_path / "checkpoints")
    after = trainer(tmp_path, max_steps=4, loss="mean_squared_error").run(tmp_path / "checkpoints")
    assert after == alone
    assert {p.name: sha256(p) for p in (tmp_path / "checkpoints").iterdir()} == {
        p.name: sha256(p) for p in (tmp_path / "alone").iterdir()
    }


def test_a_training_goes_on_from_the_checkpoint_before_a_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trainer(tmp_path)
    run_until_killed(made, tmp_path / "checkpoints", 12, monkeypatch)
    made.checkpoints.path(10).write_bytes(b"half")
    again = trainer(tmp_path)
    progress = again.run(tmp_path / "checkpoints")
    assert progress.curve[:5] == made.progress.curve[:5]
    assert [p["step"] for p in progress.curve] == list(range(1, 21))
