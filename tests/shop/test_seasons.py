"""Seasons: Saturdays above Tuesdays, garden things in spring, scarves in winter."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from recsynth.shop.seasons import seasons
from recsynth.shop.settings import ShopSettings
from recsynth.shop.words import KINDS
from tests.shop.conftest import Shop


def kind(noun: str) -> int:
    return [k.noun for k in KINDS["en"]].index(noun)


def test_a_year_of_factors_peaks_where_it_is_told() -> None:
    year = seasons(ShopSettings(days=364, start=date(2025, 1, 1)))
    weekly = year.visits.reshape(52, 7).mean(axis=1)
    assert weekly.argmax() == 349 // 7
    assert weekly.max() / weekly.min() == pytest.approx(1.2 / 0.8, rel=0.01)
    assert (year.kinds[:, kind("mug")] == 1).all()
    assert year.kinds[:, kind("flower pot")].argmax() == 120 - 1
    assert year.kinds[:, kind("flower pot")].max() == pytest.approx(np.exp(0.8))


def test_without_strength_there_is_no_season_of_kinds() -> None:
    assert (seasons(ShopSettings(season_strength=0)).kinds == 1).all()


def test_visits_follow_the_weekday(shop: Shop) -> None:
    visits = shop.events.drop_duplicates("session")
    visits = visits[~visits["session"].str.contains("+", regex=False)]
    by_day = pd.to_datetime(visits["ts"]).dt.dayofweek.value_counts()
    # 12 of each weekday; Saturday 1.3, Tuesday 0.85 of the mean, 5 % of deviation.
    assert by_day[5] / by_day[1] == pytest.approx(1.3 / 0.85, rel=0.15)


def test_kinds_sell_in_their_season(shop: Shop) -> None:
    views = shop.events[shop.events["event_type"] == "view"]
    share = {
        part: views[views["day"].between(*days)]["noun"].value_counts(normalize=True)
        for part, days in {"January": (0, 27), "March": (56, 83)}.items()
    }
    factors = seasons(shop.stock.settings).kinds
    for noun, is_rising in (("flower pot", True), ("scarf", False)):
        planted = factors[56:84, kind(noun)].mean() / factors[:28, kind(noun)].mean()
        assert (planted > 1.3) == is_rising
        assert share["March"][noun] / share["January"][noun] == pytest.approx(planted, rel=0.35)
