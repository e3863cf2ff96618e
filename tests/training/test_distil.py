"""The small encoder: fewer layers, the teacher's vectors, and in its place only where it is good enough."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from recsynth.model.encoders import layers_of
from recsynth.model.folder import read_model, write_model
from recsynth.training.distil import distilled, keep_layers
from tests.model.tiny import tiny_model
from tests.training.planted import ITEMS, quick, text_of, trainer

TEXTS = [text_of(i) for i in range(ITEMS)]


def test_it_learns_its_teachers_vectors_and_the_teacher_stays(tmp_path: Path) -> None:
    teacher = tiny_model(tmp_path / "encoder")
    before = teacher.text.encode(TEXTS)
    found = {}
    for steps in (1, 60):
        settings = quick(distil_layers=1, distil_steps=steps, items_per_step=20)
        student = distilled(teacher, TEXTS, settings, seed=1)
        assert len(layers_of(student.text.encoder)) == 1
        found[steps] = 1 - float((student.text.encode(TEXTS) * before).sum(1).mean())
    assert found[60] < 0.3 * found[1]
    assert np.array_equal(teacher.text.encode(TEXTS), before)
    # The folder says how many layers there are.
    write_model(student, tmp_path / "small", {})
    again = read_model(tmp_path / "small")
    assert again.text.encode(TEXTS) == pytest.approx(student.text.encode(TEXTS), abs=1e-5)


def test_layers_are_evenly_spaced_and_the_last_among_them() -> None:
    encoder = torch.nn.Module()
    encoder.layer = torch.nn.ModuleList(torch.nn.Linear(1, 1) for _ in range(6))
    encoder.config = type("Config", (), {"num_hidden_layers": 6})()
    kept = [encoder.layer[i] for i in (1, 3, 5)]
    keep_layers(encoder, 3)
    assert list(encoder.layer) == kept
    assert encoder.config.num_hidden_layers == 3


def test_a_model_as_small_already_stays_as_it_is(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    assert distilled(model, TEXTS, quick(distil_layers=2), seed=1) is model


@pytest.mark.parametrize("figure", [0.9, 0.8])
def test_it_takes_the_place_only_where_it_keeps_its_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: float
) -> None:
    made = trainer(tmp_path, distil_layers=1, distil_steps=1, distil_least=0.85)
    made.progress.best = 1.0
    monkeypatch.setattr(made, "validate", lambda: figure)
    made._distil()
    assert len(layers_of(made.model.text.encoder)) == (1 if figure > 0.85 else 2)
    assert made.progress.best == (figure if figure > 0.85 else 1.0)


def test_a_training_ends_with_the_small_encoder(tmp_path: Path) -> None:
    made = trainer(tmp_path, distil_layers=1, distil_steps=20, distil_least=0.0, max_steps=5)
    progress = made.run(tmp_path / "checkpoints")
    assert len(layers_of(made.model.text.encoder)) == 1
    assert made.validate() == pytest.approx(progress.best, abs=1e-6)
