"""The catalogue: items with attributes, sentences, prices, a long tail of popularity and a launch day."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from recsynth.seeds import sub_seed
from recsynth.shop.settings import ShopSettings
from recsynth.shop.words import BRANDS, COLOURS, KINDS, SENTENCES, SIZES, TITLE

# A shop's catalogue holds an item before its first visitor can see it.
ANNOUNCED_DAYS = 7
CURRENCY = {"en": "EUR", "zh": "CNY"}


@lru_cache(maxsize=4)
def catalogue(settings: ShopSettings, seed: int) -> pd.DataFrame:
    """One row an item, the same on every worker; bounded by `items`.

    Columns: item_id, kind, brand, colour, material, size, use (words and their numbers `*_index`), title,
    description, category, price, currency, popularity (log, long-tailed), launch_day (0 for the old stock,
    else the first day of a week), retired_day (beyond the last day for most), is_consumable.
    """
    rng, language, n = np.random.default_rng(sub_seed(seed, "catalogue")), settings.language, settings.items
    kinds = KINDS[language]
    # Kinds in turn, so that each has items even in a small shop.
    kind = np.arange(n) % len(kinds)
    index = {
        "kind": kind, "brand": rng.integers(len(BRANDS[language]), size=n),
        "colour": rng.integers(len(COLOURS[language]), size=n), "material": rng.integers(3, size=n),
        "size": rng.integers(3, size=n), "use": rng.integers(3, size=n),
    }  # fmt: skip
    frame = pd.DataFrame({f"{name}_index": values for name, values in index.items()})
    weeks = max(1, (settings.days - 1) // 7)
    is_new = rng.random(n) < settings.new_item_share
    frame["launch_day"] = np.where(is_new, 7 * rng.integers(1, weeks + 1, size=n), 0)
    frame["retired_day"] = np.where(rng.random(n) < 0.02, frame["launch_day"] + settings.days // 2, settings.days + 1)
    frame["popularity"] = rng.normal(0, 1.2, size=n)
    frame["price"] = np.round([kinds[k].price for k in kind] * np.exp(rng.normal(0, 0.35, size=n)), 2)
    frame["item_id"] = [f"I{i:06d}" for i in range(n)]
    frame["sentence"] = rng.integers(len(SENTENCES[language]), size=n)
    return _with_words(frame, language)


def words(row: pd.Series, language: str) -> dict[str, str]:
    """The words that an item's sentences are made of."""
    kind = KINDS[language][row["kind_index"]]
    return {
        "noun": kind.noun, "brand": BRANDS[language][row["brand_index"]],
        "colour": COLOURS[language][row["colour_index"]], "material": kind.materials[row["material_index"]],
        "size": SIZES[language][row["size_index"]], "use": kind.uses[row["use_index"]],
    }  # fmt: skip


def _with_words(frame: pd.DataFrame, language: str) -> pd.DataFrame:
    said = [words(row, language) for _, row in frame.iterrows()]
    kinds = [KINDS[language][k] for k in frame["kind_index"]]
    for name in ("noun", "brand", "colour", "material", "size", "use"):
        frame[name] = [w[name] for w in said]
    frame["title"] = [TITLE[language].format(**w) for w in said]
    frame["description"] = [SENTENCES[language][s].format(**w) for s, w in zip(frame["sentence"], said, strict=True)]
    frame["category"] = [" > ".join(k.path) for k in kinds]
    frame["currency"] = CURRENCY[language]
    frame["is_consumable"] = [k.is_consumable for k in kinds]
    return frame.drop(columns="sentence")


def snapshot(items: pd.DataFrame, day: int) -> pd.DataFrame:
    """The catalogue file of a day: what is on sale or will be within a week, and whether it can be bought."""
    known = items[items["launch_day"] <= day + ANNOUNCED_DAYS]
    columns = [
        "item_id",
        "title",
        "description",
        "category",
        "brand",
        "price",
        "currency",
        "colour",
        "material",
        "size",
    ]
    return known[columns].assign(available=np.where(known["retired_day"] > day, "true", "false"))
