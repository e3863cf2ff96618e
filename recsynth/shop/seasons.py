"""Seasons: how many visits a day sees, and of which kinds of item, by weekday and time of the year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsynth.shop.settings import ShopSettings
from recsynth.shop.words import KINDS

# Monday to Sunday.
WEEKDAYS = (0.9, 0.85, 0.9, 0.95, 1.1, 1.3, 1.2)
# The whole shop sells most in the middle of December, 1.2 of the mean.
PEAK_DAY, AMPLITUDE = 350, 0.2


@dataclass(frozen=True)
class Seasons:
    """Factors on the mean: `visits` by day, `kinds` by day and kind."""

    visits: np.ndarray
    kinds: np.ndarray


def seasons(settings: ShopSettings) -> Seasons:
    """The factors of every simulated day.

    visits = weekday * (1 + 0.2 cos(days from the middle of December)); kinds = exp(strength * cos(days from
    the kind's peak)), 1 for a kind without a season.
    """
    dates = [settings.date_of(day) for day in range(settings.days)]
    of_year = np.array([date.timetuple().tm_yday for date in dates])
    weekday = np.array([WEEKDAYS[date.weekday()] for date in dates])
    peaks = np.array([kind.peak_day for kind in KINDS[settings.language]])
    swing = np.where(peaks > 0, _wave(of_year[:, None], peaks), 0.0)
    return Seasons(weekday * (1 + AMPLITUDE * _wave(of_year, PEAK_DAY)), np.exp(settings.season_strength * swing))


def _wave(day_of_year: np.ndarray, peak: int | np.ndarray) -> np.ndarray:
    return np.asarray(np.cos(2 * np.pi * (day_of_year - peak) / 365.25))
