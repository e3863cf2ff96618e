"""Dirt of the catalogue files: rows that come twice, and rows that have lost their id or their price."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from recsynth.seeds import sub_seed
from recsynth.shop.settings import ShopSettings

# The reason for which a row is to be set aside, and what breaks it so.
BREAKS: dict[str, dict[str, Any]] = {
    "missing item_id": {"item_id": ""}, "negative price": {"price": -1.5}, "unparsable price": {"price": "cheap"},
}  # fmt: skip


def soiled(known: pd.DataFrame, day: int, settings: ShopSettings, seed: int) -> pd.DataFrame:
    """A day's catalogue file with a column `defect`, which is not part of the file.

    Empty for a good row, `duplicate`, or the reason of a broken row; these are further rows, at the rates
    of the settings.
    """
    rng = np.random.default_rng(sub_seed(seed, "catalogue dirt", day))
    is_double, is_broken = rng.random((2, len(known))) < [[settings.dirt.duplicates], [settings.dirt.broken]]
    way = rng.integers(len(BREAKS), size=len(known))
    parts = [known.assign(defect=""), known[is_double].assign(defect="duplicate")]
    for number, (reason, change) in enumerate(BREAKS.items()):
        parts.append(known[is_broken & (way == number)].assign(**change, defect=reason))
    rows: pd.DataFrame = pd.concat([part for part in parts if len(part)])
    return rows
