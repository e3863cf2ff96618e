"""The catalogue: items with attributes, sentences, prices, a long tail of popularity and a launch day."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd

from recsynth.seeds import sub_seed
from recsynth.shop.sentences import DESCRIPTIONS, TITLE
from recsynth.shop.settings import ShopSettings
from recsynth.shop.words import BRANDS, COLOURS, CURRENCY, KINDS, SIZES

# A shop's catalogue holds an item before its first visitor can see it.
ANNOUNCED_DAYS = 7
WORDS = ("noun", "brand", "colour", "material", "size", "use")
FILE_COLUMNS = ["item_id", "title", "description", "category", "brand", "price", "currency", "colour", "material",
                "size"]  # fmt: skip


@lru_cache(maxsize=4)
def catalogue(settings: ShopSettings, seed: int) -> pd.DataFrame:
    """One row an item, the same on every worker; bounded by `items`.

    Columns: item_id; kind_index, brand_index, colour_index, material_index, size_index, use_index (into
    the words, material and use into those of the kind); price, relative_price (log of price over the
    kind's usual one), popularity (log; exponential, so that demand has a Pareto tail), launch_day (0 for
    the old stock, else the first day of a week), retired_day (first day without it; beyond the last day
    for most), text_index.
    """
    rng, language, n = np.random.default_rng(sub_seed(seed, "catalogue")), settings.language, settings.items
    sorts = KINDS[language]
    # Kinds in turn, so that each has items even in a small shop.
    kind = np.arange(n) % len(sorts)
    usual = np.array([k.price for k in sorts])[kind]
    price = np.round(usual * np.exp(rng.normal(0, 0.35, n)), 2)
    launch = _launch_days(rng, settings)
    is_retired = rng.random(n) < 0.02
    return pd.DataFrame({
        "item_id": [f"I{i:06d}" for i in range(n)], "kind_index": kind,
        "brand_index": rng.integers(len(BRANDS[language]), size=n),
        "colour_index": rng.integers(len(COLOURS[language]), size=n),
        **{f"{name}_index": rng.integers(3, size=n) for name in ("material", "size", "use")},
        "price": price, "relative_price": np.log(price / usual), "popularity": rng.exponential(1.3, n) - 1.3,
        "launch_day": launch,
        "retired_day": np.where(is_retired, launch + 7 * max(1, settings.days // 14), settings.days + 7),
        "text_index": rng.integers(len(DESCRIPTIONS[language]), size=n),
    })  # fmt: skip


def _launch_days(rng: np.random.Generator, settings: ShopSettings) -> np.ndarray:
    """0 for the old stock; new items are dealt over the weeks in turn, so that each week has some."""
    weeks = max(1, (settings.days - 1) // 7)
    new = np.flatnonzero(rng.random(settings.items) < settings.new_item_share)
    launch = np.zeros(settings.items, dtype=np.int64)
    launch[rng.permutation(new)] = 7 * (1 + np.arange(len(new)) % weeks)
    return launch


def words(numbers: Sequence[int], language: str) -> dict[str, str]:
    """The words that an item's sentences are made of, by the numbers of kind, brand, colour, material, size, use."""
    kind, brand, colour, material, size, use = numbers
    sort = KINDS[language][kind]
    said = (sort.noun, BRANDS[language][brand], COLOURS[language][colour], sort.materials[material],
            SIZES[language][size], sort.uses[use])  # fmt: skip
    return dict(zip(WORDS, said, strict=True))


def described(items: pd.DataFrame, language: str) -> pd.DataFrame:
    """The catalogue with its words: noun, brand, ..., use, title, description, category, currency, is_consumable."""
    numbers = ("kind", "brand", "colour", "material", "size", "use")
    rows = zip(*(items[f"{name}_index"].tolist() for name in numbers), strict=True)
    said = [words(row, language) for row in rows]
    kinds = [KINDS[language][k] for k in items["kind_index"].tolist()]
    texts = [DESCRIPTIONS[language][t] for t in items["text_index"].tolist()]
    return items.assign(
        **{name: [w[name] for w in said] for name in WORDS},
        title=[TITLE[language].format(**w) for w in said],
        description=[text.format(**w) for text, w in zip(texts, said, strict=True)],
        category=[k.category for k in kinds],
        currency=CURRENCY[language],
        is_consumable=[k.is_consumable for k in kinds],
    )


def snapshot(items: pd.DataFrame, day: int) -> pd.DataFrame:
    """The catalogue file of a day: what is on sale or will be within a week, and whether it can be bought."""
    known = items[items["launch_day"] <= day + ANNOUNCED_DAYS]
    return known[FILE_COLUMNS].assign(available=np.where(known["retired_day"] > day, "true", "false"))
