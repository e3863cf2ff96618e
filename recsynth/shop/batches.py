"""Bad batches: for some days what arrives of one kind of item is faulty, and whoever gets it complains."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recsynth.seeds import sub_seed
from recsynth.shop.settings import ShopSettings
from recsynth.shop.words import KINDS

LASTS = 5


class BadBatch(NamedTuple):
    """A kind of item and the simulated days, both included, on which complaints come in."""

    kind: int
    first_day: int
    last_day: int


def bad_batches(settings: ShopSettings, seed: int) -> tuple[BadBatch, ...]:
    """What was planted: in the second half of the simulated time, each of another kind; the earliest first."""
    rng = np.random.default_rng(sub_seed(seed, "bad_batches"))
    kinds = rng.permutation(len(KINDS[settings.language]))[: settings.bad_batches]
    latest = max(settings.days // 2 + 1, settings.days - 2 * LASTS)
    first = np.sort(rng.integers(settings.days // 2, latest, len(kinds)))
    return tuple(BadBatch(int(k), int(day), int(day) + LASTS - 1) for k, day in zip(kinds, first, strict=True))
