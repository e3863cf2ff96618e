"""Dirt of the catalogue files: rows that come twice, rows that have lost their id or their price, and gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from recsynth.seeds import sub_seed
from recsynth.shop.catalogue import catalogue, described
from recsynth.shop.settings import ShopSettings

GAPS = ("category", "brand", "colour", "material", "size")
# The reason for which a row is to be set aside, and what breaks it so.
BREAKS: dict[str, dict[str, Any]] = {
    "missing item_id": {"item_id": ""}, "negative price": {"price": -1.5}, "unparsable price": {"price": "cheap"},
}  # fmt: skip


def soiled(known: pd.DataFrame, day: int, settings: ShopSettings, seed: int) -> pd.DataFrame:
    """A day's catalogue file with a column `defect`, which is not part of the file.

    Empty for a good row, `duplicate`, or the reason of a broken row; these are further rows, at the rates
    of the settings.
    """
    known = _with_gaps(known, settings, seed)
    rng = np.random.default_rng(sub_seed(seed, "catalogue dirt", day))
    is_double, is_broken = rng.random((2, len(known))) < [[settings.dirt.duplicates], [settings.dirt.broken]]
    way = rng.integers(len(BREAKS), size=len(known))
    parts = [known.assign(defect=""), known[is_double].assign(defect="duplicate")]
    for number, (reason, change) in enumerate(BREAKS.items()):
        parts.append(known[is_broken & (way == number)].assign(**change, defect=reason))
    rows: pd.DataFrame = pd.concat([part for part in parts if len(part)])
    return rows


def gaps(settings: ShopSettings, seed: int) -> pd.DataFrame:
    """Fields of items that no catalogue file has, though title and description tell them: item_id, field, value."""
    items = described(catalogue(settings, seed), settings.language)
    is_lost = np.random.default_rng(sub_seed(seed, "catalogue gaps")).random((len(items), len(GAPS)))
    at, field = np.nonzero(is_lost < settings.dirt.gaps)
    names = np.array(GAPS)[field]
    values = [items[name].iloc[row] for row, name in zip(at.tolist(), names, strict=True)]
    return pd.DataFrame({"item_id": items["item_id"].to_numpy()[at], "field": names, "value": values})


def _with_gaps(known: pd.DataFrame, settings: ShopSettings, seed: int) -> pd.DataFrame:
    lost = gaps(settings, seed)
    return known.assign(**{
        field: known[field].mask(known["item_id"].isin(lost.loc[lost["field"] == field, "item_id"])) for field in GAPS
    })  # fmt: skip
