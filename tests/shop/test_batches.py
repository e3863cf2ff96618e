"""Bad batches: planted in the second half, each of another kind, and whoever gets one complains."""

from __future__ import annotations

import pandas as pd

from recsynth.shop.batches import LASTS, bad_batches
from recsynth.shop.settings import ShopSettings
from recsynth.shop.words import KINDS
from tests.shop.conftest import Shop, simulated


def test_they_lie_in_the_second_half_of_different_kinds_and_follow_the_seed() -> None:
    settings = ShopSettings(days=100, bad_batches=5)
    found = bad_batches(settings, 1)
    assert found == bad_batches(settings, 1) != bad_batches(settings, 2)
    assert len({b.kind for b in found}) == 5
    assert all(b.first_day >= 50 and b.last_day == b.first_day + LASTS - 1 < 100 for b in found)
    assert bad_batches(ShopSettings(bad_batches=0), 1) == ()
    assert bad_batches(ShopSettings(days=1), 1)[0].first_day == 0


def test_whoever_gets_one_gives_one_star_and_says_why(shop: Shop) -> None:
    kinds = KINDS[shop.stock.settings.language]
    said = shop.events[shop.events["event_type"] == "comment"].assign(rating=lambda e: e["rating"].astype(int))
    assert len(shop.stock.batches) == 2
    for batch in shop.stock.batches:
        of_kind = said[said["category"] == kinds[batch.kind].category]
        is_in = of_kind["day"].between(batch.first_day, batch.last_day)
        assert (of_kind.loc[is_in, "rating"] == 1).all()
        usual = (~is_in).sum() / (shop.stock.settings.days - LASTS)
        assert is_in.sum() / LASTS > 2 * max(usual, 0.1)


def test_without_any_nobody_complains_more_than_usual() -> None:
    events = simulated(bad_batches=0).events
    stars = pd.to_numeric(events.loc[events["event_type"] == "rating", "rating"])
    assert 0.05 < (stars == 1).mean() < 0.15
