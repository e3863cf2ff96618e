"""Tastes: what each user wants of kinds, brands, colours, materials and prices, and how much of each item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsynth.seeds import sub_seed
from recsynth.shop.settings import ShopSettings
from recsynth.shop.words import BRANDS, COLOURS, KINDS

COUNTRIES = ("DE", "AT", "CH", "FR", "NL")


@dataclass(frozen=True)
class Taste:
    """One user's tastes: weights over kinds (they sum to 1), brands, colours, materials; price level; activity."""

    user_id: str
    country: str
    activity: float
    kinds: np.ndarray
    brands: np.ndarray
    colours: np.ndarray
    materials: np.ndarray
    price_level: float


def taste(number: int, settings: ShopSettings, seed: int) -> Taste:
    """The taste of one user, drawn from the seed and the user's number alone."""
    rng, language = np.random.default_rng(sub_seed(seed, "taste", number)), settings.language
    return Taste(
        user_id=f"U{number:07d}",
        country=COUNTRIES[int(rng.choice(len(COUNTRIES), p=[0.6, 0.12, 0.08, 0.1, 0.1]))],
        activity=float(rng.lognormal(-0.5, 1.0)),
        kinds=rng.dirichlet(np.full(len(KINDS[language]), 0.15)),
        brands=_favourites(rng, len(BRANDS[language]), 2),
        colours=_favourites(rng, len(COLOURS[language]), 2),
        materials=_favourites(rng, 3, 1),
        price_level=float(rng.normal(0, 0.4)),
    )


def utility(user: Taste, items: pd.DataFrame, settings: ShopSettings) -> np.ndarray:
    """How much a user wants each item, before kind and day: popularity, and taste times its strength."""
    relative = (
        np.log(items["price"].to_numpy())
        - items.groupby("kind_index")["price"].transform("mean").map(np.log).to_numpy()
    )
    wanted = (
        1.2 * user.brands[items["brand_index"]]
        + 1.2 * user.colours[items["colour_index"]]
        + 0.8 * user.materials[items["material_index"]]
        - 1.0 * np.abs(relative - user.price_level)
    )
    return np.asarray(items["popularity"].to_numpy() * 0.7 + settings.taste_strength * wanted)


def true_scores(user: Taste, items: pd.DataFrame, settings: ShopSettings) -> np.ndarray:
    """Log chance, up to a constant, that a session of the user is about each item."""
    return np.asarray(utility(user, items, settings) + np.log(user.kinds[items["kind_index"]] + 1e-9))


def _favourites(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    liked = np.zeros(n)
    liked[rng.choice(n, k, replace=False)] = 1.0
    return liked
