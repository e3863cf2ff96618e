"""Tastes: what each user wants of kinds, brands, colours, materials and prices, and how much of each item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsynth.seeds import sub_seed
from recsynth.shop.settings import ShopSettings
from recsynth.shop.shelves import Shelf
from recsynth.shop.words import BRANDS, COLOURS, COUNTRIES, KINDS


@dataclass(frozen=True)
class Taste:
    """One user's tastes.

    kinds: weights that sum to 1; brands, colours: 1 for the two that are liked, else 0; materials: the
    number of the liked one in each kind; price_level: log of the liked price over the kind's usual one;
    activity: visits, in means.
    """

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
    countries, kinds = COUNTRIES[language], len(KINDS[language])
    return Taste(
        user_id=f"U{number:07d}",
        country=list(countries)[int(rng.choice(len(countries), p=list(countries.values())))],
        activity=float(rng.lognormal(-0.5, 1.0)),
        kinds=rng.dirichlet(np.full(kinds, 0.15)),
        brands=_favourites(rng, len(BRANDS[language])),
        colours=_favourites(rng, len(COLOURS[language])),
        materials=rng.integers(3, size=kinds),
        price_level=float(rng.normal(0, 0.4)),
    )


def utility(user: Taste, shelf: Shelf, settings: ShopSettings) -> np.ndarray:
    """How much a user wants each item of a shelf, before the day's promotions.

    0.7 popularity + strength (1.2 [liked brand] + 1.2 [liked colour] + 0.8 [liked material] - |price - liked price|)
    """
    wanted = (
        1.2 * user.brands[shelf.brand]
        + 1.2 * user.colours[shelf.colour]
        + 0.8 * (shelf.material == user.materials[shelf.kind])
        - np.abs(shelf.relative_price - user.price_level)
    )
    return np.asarray(0.7 * shelf.popularity + settings.taste_strength * wanted)


def true_scores(user: Taste, shelves: tuple[Shelf, ...], settings: ShopSettings) -> np.ndarray:
    """Log chance, up to a constant, that a visit of the user, whatever the day, is about each item of the catalogue."""
    scores = np.empty(sum(len(shelf.rows) for shelf in shelves))
    for shelf in shelves:
        wants = utility(user, shelf, settings)
        of_kind = np.log(user.kinds[shelf.kind] + 1e-9) - np.log(np.exp(wants).sum())
        scores[shelf.rows] = of_kind + wants
    return scores


def _favourites(rng: np.random.Generator, n: int) -> np.ndarray:
    liked = np.zeros(n)
    liked[rng.choice(n, 2, replace=False)] = 1.0
    return liked
