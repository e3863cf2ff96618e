"""Optimizers: which weight has which learning rate, and when."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from recsynth.training.adapt import Adaptation
from recsynth.training.optimizers import make_optimizer
from tests.model.tiny import tiny_model
from tests.training.planted import batches, quick, trainer


def peaks(folder: Path, **changes: object) -> dict[str, float]:
    model, settings = tiny_model(folder), quick(learning_rate=1e-2, head_learning_rate=1e-3, **changes)
    Adaptation(model, settings, seed=1)
    names = {id(p): n for n, p in model.named_parameters()}
    return {names[id(p)]: g["peak"] for g in make_optimizer(model, settings).param_groups for p in g["params"]}


def test_each_layer_below_learns_by_the_factor_slower(tmp_path: Path) -> None:
    found = peaks(tmp_path, layer_decay=0.5)
    for name, peak in found.items():
        if not name.startswith("text.encoder."):
            assert peak == 1e-3
        else:
            share = 1.0 if "layer.1." in name else 0.5 if "layer.0." in name else 0.25
            assert peak == pytest.approx(1e-2 * share), name
    assert len(set(found.values())) == 4


def test_without_decay_all_layers_learn_alike(tmp_path: Path) -> None:
    assert {p for n, p in peaks(tmp_path).items() if n.startswith("text.encoder.")} == {1e-2}


@pytest.mark.parametrize(("name", "kind"), [("adamw", torch.optim.AdamW), ("adafactor", torch.optim.Adafactor)])
def test_the_optimizer_is_the_one_asked_for(tmp_path: Path, name: str, kind: type) -> None:
    assert isinstance(trainer(tmp_path, optimizer=name).optimizer, kind)


def test_adafactor_learns_the_planted_taste(tmp_path: Path) -> None:
    progress = trainer(tmp_path, optimizer="adafactor", learning_rate=3e-2).run(tmp_path / "checkpoints")
    assert progress.best > progress.before + 0.05


@pytest.mark.parametrize(("shape", "share"), [("cosine", 0.8536), ("linear", 0.75), ("constant", 1.0)])
def test_the_schedule_reaches_the_optimizer(tmp_path: Path, shape: str, share: float) -> None:
    made = trainer(tmp_path, schedule=shape, learning_rate=1e-2, warmup_steps=0, max_steps=20)
    made.validate()
    made.progress.step = 5
    made._step(next(batches(made)))
    assert made.optimizer.param_groups[0]["lr"] / made.optimizer.param_groups[0]["peak"] == pytest.approx(
        share, abs=1e-4
    )
