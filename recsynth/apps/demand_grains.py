"""The steps that a forecast of demand is cut into: weeks, days, and the time until an order for stock arrives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsynth.apps.settings import DemandSettings

WEEK, DAY, LEAD = "week", "day", "lead"
_LEAST_SHARE = 0.02


@dataclass(frozen=True)
class Grain:
    """One way to cut the horizon: the first day and the number of days of each of its steps."""

    name: str
    steps: tuple[tuple[int, int], ...]

    def sums(self, days: np.ndarray) -> np.ndarray:
        """Sums of each step of days (rows, horizon), shape (rows, steps)."""
        return np.column_stack([days[:, first : first + n].sum(1) for first, n in self.steps])


def grains(settings: DemandSettings) -> tuple[Grain, ...]:
    """Weeks, days and the time until stock arrives.

    >>> [(g.name, len(g.steps)) for g in grains(DemandSettings())]
    [('week', 4), ('day', 28), ('lead', 1)]
    """
    n = settings.horizon_weeks
    return (
        Grain(WEEK, tuple((7 * k, 7) for k in range(n))),
        Grain(DAY, tuple((k, 1) for k in range(7 * n))),
        Grain(LEAD, ((0, settings.lead_days),)),
    )


def shares(grain: Grain, profile: np.ndarray) -> np.ndarray:
    """Weeks' worth of demand in each step, not quite 0 where the shop is closed: what is divided by it stays finite."""
    days = np.resize(profile, grain.steps[-1][0] + grain.steps[-1][1])
    return np.maximum([days[first : first + n].sum() for first, n in grain.steps], _LEAST_SHARE)


def expected_units(grain: Grain, profile: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Units (series, steps) of rates a week (series, horizon) on each day: what the profile gives it of them."""
    return np.asarray(grain.sums(np.resize(profile, rate.shape[1]) * rate))
