"""What another policy would have earned, from what one policy showed and with what probability.

Shapes: N logged decisions. Each has a reward, the probability with which the logging policy took the action that it
took (`logged_N`, above 0), and the probability with which the other policy would have taken the same one (`target_N`).
The estimates are unbiased where the logging policy could take whatever the other would.
"""

from __future__ import annotations

import numpy as np


def inverse_propensity(rewards_N: np.ndarray, logged_N: np.ndarray, target_N: np.ndarray) -> np.ndarray:
    """Terms (N,) whose mean estimates the other policy's reward: r * target / logged.

    Source: Horvitz and Thompson, JASA 1952. Raises ValueError for a logged probability outside (0, 1].

    >>> float(inverse_propensity(np.array([1.0, 0.0]), np.array([0.5, 0.5]), np.array([1.0, 0.0])).mean())
    1.0
    """
    terms_N: np.ndarray = np.asarray(rewards_N, float) * _weights(logged_N, target_N)
    return terms_N


def self_normalised(rewards_N: np.ndarray, logged_N: np.ndarray, target_N: np.ndarray) -> float:
    """The weighted mean of the rewards: a little biased, never outside their range; NaN where no weight is above 0.

    Source: Swaminathan and Joachims, The Self-Normalized Estimator for Counterfactual Learning, NeurIPS 2015.

    >>> self_normalised(np.array([1.0, 0.0, 1.0]), np.array([0.5, 0.5, 0.1]), np.array([1.0, 1.0, 0.0]))
    0.5
    """
    weights_N = _weights(logged_N, target_N)
    total = weights_N.sum()
    return float(weights_N @ np.asarray(rewards_N, float) / total) if total > 0 else float("nan")


def doubly_robust(
    rewards_N: np.ndarray, logged_N: np.ndarray, target_N: np.ndarray, predicted_N: np.ndarray, expected_N: np.ndarray
) -> np.ndarray:
    """Terms (N,) whose mean is right where either the propensities or the predicted rewards are.

    predicted_N: predicted reward of the action that was taken; expected_N: predicted reward of the other policy, over
    its own actions. expected + (r - predicted) * target / logged.
    Source: Dudik, Langford and Li, Doubly Robust Policy Evaluation and Learning, ICML 2011.

    >>> doubly_robust(*map(np.array, ([1.0], [0.5], [0.5], [0.25], [0.5])))
    array([1.25])
    """
    error_N = np.asarray(rewards_N, float) - np.asarray(predicted_N, float)
    terms_N: np.ndarray = np.asarray(expected_N, float) + error_N * _weights(logged_N, target_N)
    return terms_N


def _weights(logged_N: np.ndarray, target_N: np.ndarray) -> np.ndarray:
    logged_N = np.asarray(logged_N, float)
    if not ((logged_N > 0) & (logged_N <= 1)).all():
        raise ValueError("logged_N: expected probabilities above 0 and at most 1")
    weights_N: np.ndarray = np.asarray(target_N, float) / logged_N
    return weights_N
