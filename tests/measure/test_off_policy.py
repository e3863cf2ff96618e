"""Off-policy estimates: the known reward of another policy is found again from what one policy logged."""

from __future__ import annotations

import numpy as np
import pytest

from recsynth.measure.off_policy import doubly_robust, inverse_propensity, self_normalised

RATES = np.array([0.1, 0.3, 0.8])
LOGGING, TARGET = np.array([0.6, 0.3, 0.1]), np.array([0.1, 0.2, 0.7])
TRUE = float(TARGET @ RATES)


def logged(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Actions, rewards and both policies' probabilities of n decisions on a bandit of three arms."""
    rng = np.random.default_rng(seed)
    actions = rng.choice(3, n, p=LOGGING)
    return actions, (rng.random(n) < RATES[actions]).astype(float), LOGGING[actions], TARGET[actions]


def test_the_other_policy_s_reward_is_found_where_the_plain_mean_is_wrong() -> None:
    _, rewards, logging, target = logged(200_000)
    assert abs(rewards.mean() - TRUE) > 0.3
    assert inverse_propensity(rewards, logging, target).mean() == pytest.approx(TRUE, abs=0.01)
    assert self_normalised(rewards, logging, target) == pytest.approx(TRUE, abs=0.01)


def test_doubly_robust_needs_one_of_the_two_to_be_right() -> None:
    actions, rewards, logging, target = logged(200_000)
    wrong_rates, wrong_logging = np.array([0.5, 0.5, 0.5]), np.full(len(actions), 1 / 3)
    for rates, probabilities in ((wrong_rates, logging), (RATES, wrong_logging)):
        expected = np.full(len(actions), TARGET @ rates)
        found = doubly_robust(rewards, probabilities, target, rates[actions], expected)
        assert found.mean() == pytest.approx(TRUE, abs=0.01)
    both_wrong = doubly_robust(
        rewards, wrong_logging, target, wrong_rates[actions], np.full(len(actions), TARGET @ wrong_rates)
    )
    assert abs(both_wrong.mean() - TRUE) > 0.05


def test_a_right_prediction_lowers_the_variance() -> None:
    actions, rewards, logging, target = logged(5_000)
    plain = inverse_propensity(rewards, logging, target)
    helped = doubly_robust(rewards, logging, target, RATES[actions], np.full(len(actions), TRUE))
    assert helped.var() < 0.7 * plain.var()


def test_a_probability_of_zero_is_refused_and_no_weight_is_no_number() -> None:
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        inverse_propensity(np.ones(1), np.zeros(1), np.ones(1))
    assert np.isnan(self_normalised(np.ones(2), np.ones(2), np.zeros(2)))
