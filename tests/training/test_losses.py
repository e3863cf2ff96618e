"""Losses: answers known by arithmetic, and what a masked pair may not do."""

from __future__ import annotations

import math

import pytest
import torch

from recsynth.training.losses import (
    LOSSES,
    binary_cross_entropy,
    linear_autoencoder,
    mean_squared_error,
    sampled_softmax,
)

ZERO_M = torch.zeros(3)
ALL = torch.ones(1, 3, dtype=torch.bool)
FIRST = torch.tensor([[1.0, 0.0, 0.0]])


def test_binary_cross_entropy_weighs_both_halves_alike() -> None:
    logits = torch.tensor([[0.0, math.log(3), math.log(3)]])  # p = 1/2, 3/4, 3/4
    expected = (math.log(2) + math.log(4)) / 2
    assert binary_cross_entropy(logits, FIRST, ALL, ZERO_M).item() == pytest.approx(expected)


def test_mean_squared_error_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3), -math.log(3)]])  # p = 1/2, 3/4, 1/4
    expected = (0.25 + (9 / 16 + 1 / 16) / 2) / 2
    assert mean_squared_error(logits, FIRST, ALL, ZERO_M).item() == pytest.approx(expected)


def test_sampled_softmax_is_minus_log_of_the_share() -> None:
    logits = torch.tensor([[math.log(2), 0.0, 0.0]])
    assert sampled_softmax(logits, FIRST, ALL, ZERO_M).item() == pytest.approx(math.log(2))


def test_sampled_softmax_takes_off_what_popularity_sampled() -> None:
    # An item that is sampled four times as often counts a quarter: 1 / (1 + 1/4 + 1).
    log_q_M = torch.tensor([1.0, 4.0, 1.0]).log()
    found = sampled_softmax(torch.zeros(1, 3), FIRST, ALL, log_q_M).item()
    assert found == pytest.approx(math.log(2.25))


def test_a_users_positives_do_not_compete_with_one_another() -> None:
    two = torch.tensor([[1.0, 1.0, 0.0]])
    found = sampled_softmax(torch.zeros(1, 3), two, ALL, ZERO_M).item()
    assert found == pytest.approx(math.log(2))  # each against the one negative


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_a_masked_pair_changes_nothing_and_learns_nothing(name: str) -> None:
    allowed, found = torch.tensor([[True, True, False]]), []
    for masked in (-3.0, 5.0):
        logits = torch.tensor([[0.5, 0.1, masked]], requires_grad=True)
        loss = LOSSES[name](logits, FIRST, allowed, ZERO_M)
        loss.backward()  # type: ignore[no-untyped-call]
        assert logits.grad is not None
        assert logits.grad[0, 2] == 0
        assert logits.grad[0, 0] < 0 < logits.grad[0, 1]
        found.append(loss.item())
    assert found[0] == pytest.approx(found[1])


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_without_positives_the_loss_is_finite(name: str) -> None:
    assert math.isfinite(LOSSES[name](torch.zeros(1, 3), torch.zeros(1, 3), ALL, ZERO_M).item())


def test_linear_autoencoder_by_hand() -> None:
    # Items 0 and 1 at 60 degrees, item 2 at right angles to both's plane; the user has 0 and 1.
    items = torch.tensor([[1.0, 0.0, 0.0], [0.5, math.sqrt(3) / 2, 0.0], [0.0, 0.0, 1.0]])
    # Each of the two predicts the other by 1/2: of unit length, the prediction is X.
    assert linear_autoencoder(items, torch.tensor([[1.0, 1.0, 0.0]])).item() == pytest.approx(0, abs=1e-6)
    # Item 2 beside 0: neither predicts the other, 0 predicts item 1: y = (0, 1, 0), x = (1, 0, 1) / sqrt 2.
    assert linear_autoencoder(items, torch.tensor([[1.0, 0.0, 1.0]])).item() == pytest.approx((0.5 + 1 + 0.5) / 3)


def test_linear_autoencoder_draws_together_what_the_same_user_has() -> None:
    items = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.8, 0.6]], requires_grad=True)
    linear_autoencoder(items, torch.tensor([[1.0, 1.0, 0.0]])).backward()
    assert items.grad is not None
    # A step against the gradient brings 0 and 1 nearer to each other, as seen from the rival 2.
    moved = torch.nn.functional.normalize(items.detach() - 0.1 * items.grad, dim=-1)
    before, after = items.detach() @ items.detach().T, moved @ moved.T
    assert after[0, 1] - after[0, 2] > before[0, 1] - before[0, 2]
