"""Greedy soup: what is averaged, and that only what validation likes is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from recsynth.training.loop import NDCG
from recsynth.training.soup import Weights, greedy_soup
from tests.training.planted import trainer


def checkpoints(folder: Path, **values: tuple[float, float]) -> list[tuple[float, Path]]:
    for name, (_, weight) in values.items():
        save_file({"w": torch.tensor([weight]), "count": torch.tensor([3])}, folder / name)
    return [(figure, folder / name) for name, (figure, _) in values.items()]


def near_one(weights: Weights) -> float:
    return 1 - abs(weights["w"].item() - 1)


def test_the_mean_takes_in_what_makes_it_better_and_leaves_out_the_rest(tmp_path: Path) -> None:
    # 0.8 and 1.4 have the mean 1.1, better than either; with 4.0 it would be 2.07, with 0.7 it is 0.967.
    best, found = greedy_soup(
        checkpoints(tmp_path, d=(-2.0, 4.0), a=(0.8, 0.8), b=(0.6, 1.4), c=(0.5, 0.7)), 0.8, near_one
    )
    assert found is not None
    assert found["w"].item() == pytest.approx((0.8 + 1.4 + 0.7) / 3)
    assert best == pytest.approx(near_one(found))
    assert found["count"].item() == 3


def test_where_no_mean_is_better_the_best_stays(tmp_path: Path) -> None:
    assert greedy_soup(checkpoints(tmp_path, a=(1.0, 1.0), b=(0.0, 2.0)), 1.0, near_one) == (1.0, None)
    assert greedy_soup(checkpoints(tmp_path, a=(1.0, 1.0)), 1.0, near_one) == (1.0, None)


def test_a_training_with_soup_is_never_worse_on_validation_and_is_what_it_says(tmp_path: Path) -> None:
    alone = trainer(tmp_path, schedule="constant").run(tmp_path / "alone")
    made = trainer(tmp_path, schedule="constant", soup=4)
    progress = made.run(tmp_path / "soup")
    assert progress.best >= alone.best
    assert made.validate() == pytest.approx(progress.best, abs=1e-6)
    assert max(p[NDCG] for p in progress.curve if NDCG in p) == alone.best
    # The checkpoints that it averages have been kept.
    assert len(list((tmp_path / "soup").glob("*.safetensors"))) == 4
