"""The towers: answers known by reasoning, before anything is learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from recsynth.model.towers import EVENT_TYPES, UserTower
from tests.model.tiny import EMBEDDING_SIZE, tiny_model

VIEW, PURCHASE = EVENT_TYPES.index("view"), EVENT_TYPES.index("purchase")


def pooled(types: list[int], ages: list[float]) -> np.ndarray:
    """The untrained tower over a history whose place l is the unit vector e_l."""
    vectors_BLD = torch.eye(len(types)).unsqueeze(0)
    with torch.no_grad():
        return UserTower(len(types))(vectors_BLD, torch.tensor([types]), torch.tensor([ages])).numpy()[0]


def test_untrained_a_weight_halves_every_ninety_days() -> None:
    found = pooled([PURCHASE, PURCHASE], [0.0, 90.0])
    assert found == pytest.approx(np.array([2.0, 1.0]) / np.sqrt(5), abs=1e-5)


def test_untrained_a_view_says_less_than_a_purchase() -> None:
    found = pooled([PURCHASE, VIEW], [3.0, 3.0])
    assert found == pytest.approx(np.array([1.0, np.exp(-1.5)]) / np.hypot(1.0, np.exp(-1.5)), abs=1e-5)


def test_padding_says_nothing_and_padding_alone_is_no_nan() -> None:
    assert pooled([PURCHASE, 0], [0.0, 0.0]) == pytest.approx(np.array([1.0, 0.0]), abs=1e-5)
    assert pooled([0, 0], [0.0, 0.0]) == pytest.approx(np.zeros(2))


def test_each_weight_of_the_user_tower_learns() -> None:
    tower = UserTower(4)
    vectors_BLD = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1))
    types_BL, ages_BL = torch.tensor([[1, 2, 5], [5, 5, 0]]), torch.tensor([[9.0, 5.0, 1.0], [2.0, 1.0, 0.0]])
    tower(vectors_BLD, types_BL, ages_BL)[:, 0].sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in tower.parameters())


def test_texts_become_unit_vectors_in_their_own_order(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    texts = ["red thing1", "红色茶杯", "", "blue " * 500, "gold"]
    together = model.text.encode(texts, batch_size=2)
    assert together.shape == (5, EMBEDDING_SIZE)
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    alone = np.concatenate([model.text.encode([t]) for t in texts])
    assert together == pytest.approx(alone, abs=1e-5)


def test_chinese_texts_differ_by_what_they_say(tmp_path: Path) -> None:
    red, blue, again = tiny_model(tmp_path).text.encode(["红色茶杯", "蓝色盘子", "红色茶杯"])
    assert red @ again == pytest.approx(1.0, abs=1e-5)
    assert red @ blue < 0.999


def test_centring_spreads_the_catalogue(tmp_path: Path) -> None:
    tower, texts = tiny_model(tmp_path).text, [f"red thing{i}" for i in range(20)]
    raw = np.concatenate([tower.pooled([t]).detach().numpy() for t in texts])
    before = tower.encode(texts)
    tower.centre_on(tower.encode_plain(texts))
    assert tower.mean_D.numpy() == pytest.approx(raw.mean(0), abs=1e-5)
    assert np.linalg.norm(tower.encode(texts).mean(0)) < 0.5 * np.linalg.norm(before.mean(0))


def test_the_link_is_scale_times_product_plus_bias(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    logits = model.logits(torch.eye(2, EMBEDDING_SIZE), torch.eye(3, EMBEDDING_SIZE)).detach().numpy()
    assert logits == pytest.approx(10 * np.eye(2, 3) - 4, abs=1e-4)
