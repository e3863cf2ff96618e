"""Bootstrap intervals: a plain twin, and how often they hold the truth."""

from __future__ import annotations

import numpy as np
import pytest

from recsynth.measure import intervals
from recsynth.measure.intervals import bootstrap_difference, bootstrap_mean


def plain_bootstrap(values: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    rng, n = np.random.default_rng(seed), len(values)
    means = sorted(float(np.mean([values[i] for i in rng.integers(0, n, n)])) for _ in range(resamples))
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def test_equals_a_plain_loop_over_resamples() -> None:
    values = np.random.default_rng(1).beta(0.5, 2, 40)
    assert bootstrap_mean(values, 500, seed=3) == pytest.approx(plain_bootstrap(values, 500, seed=3))


def test_the_interval_holds_the_true_mean_about_19_times_in_20() -> None:
    rng = np.random.default_rng(0)
    drawn = [rng.exponential(1.0, 200) for _ in range(400)]
    held = [low <= 1.0 <= high for low, high in (bootstrap_mean(x, 400, seed=i) for i, x in enumerate(drawn))]
    # 95 %, less what skewness takes; the standard error of this share is 1.1 points.
    assert 0.91 <= np.mean(held) <= 0.98


def test_pairing_leaves_out_what_users_have_in_common() -> None:
    rng = np.random.default_rng(0)
    theirs = rng.normal(0, 1, 300)
    ours = theirs + 0.1 + rng.normal(0, 0.01, 300)
    low, high = bootstrap_difference(ours, theirs)
    assert 0.09 < low < 0.1 < high < 0.11
    unpaired_low, _ = bootstrap_mean(ours - rng.permutation(theirs))
    assert unpaired_low < 0


def test_the_same_seed_gives_the_same_interval_however_the_draws_are_parted(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).normal(size=50)
    whole = bootstrap_mean(values, 300, seed=5)
    monkeypatch.setattr(intervals, "DRAWS_AT_ONCE", 50 * 7)
    assert bootstrap_mean(values, 300, seed=5) == whole
    assert bootstrap_mean(values, 300, seed=6) != whole


def test_nobody_gives_no_interval() -> None:
    assert np.isnan(bootstrap_mean(np.zeros(0))).all()
