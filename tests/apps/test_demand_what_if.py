"""Demand at other prices of a planted shop: arithmetic, honest time, what is no price, little input; its judge."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from pyspark.sql import DataFrame, SparkSession

from recsynth.apps import demand_what_if as demand_module
from recsynth.apps.demand_what_if import demand_what_if
from recsynth.apps.judge_what_if import judge_what_if
from recsynth.apps.settings import WhatIfSettings
from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.tables.output import DEMAND_FORECAST, DEMAND_WHAT_IF
from recsynth.tables.silver import EVENTS, ITEMS, PROMOTIONS
from tests.rows import night, table

AS_OF, DAYS, ITEMS_SOLD, ELASTICITY = date(2024, 6, 1), 112, 16, -3.0
USUAL, CUT = Decimal("10.0000"), Decimal("8.0000")
HORIZON = 28


def at(**changed: Any) -> Night:
    return night(AS_OF, Settings.model_validate({"apps": {"what_if": {"history_days": DAYS} | changed}}))


def sales(days: range, seed: int, **changed: Any) -> list[dict[str, Any]]:
    """Purchases of items at two orders a day; every fifth week each item has its week at 20 % less."""
    rng, rows = np.random.default_rng(seed), []
    for n in range(ITEMS_SOLD):
        for day in days:
            is_cut = (day // 7 + n) % 5 == 0
            orders = int(rng.poisson(2.0 * (0.8**ELASTICITY if is_cut else 1.0)))
            rows += [sale(f"i{n:02d}", day, CUT if is_cut else USUAL, len(rows) + k) for k in range(orders)]
    return [row | changed for row in rows]


def sale(item_id: str, day: int, price: Decimal | None, number: int, **fields: Any) -> dict[str, Any]:
    when = at().cutoff + timedelta(days=day, hours=12)
    return {
        "event_id": f"{day}-{number}", "user_id": "u", "item_id": item_id, "event_type": "purchase", "ts": when,
        "event_date": AS_OF + timedelta(days=day), "price": price, "currency": "GBP", "quantity": 1, "session_id": "s",
        "source": "test", "is_bot": False, "is_near_duplicate": False, "copies": 1, **fields,
    }  # fmt: skip


def forecast(spark: SparkSession, ids: list[str]) -> DataFrame:
    rows = [
        {"level": "item", "series_id": i, "grain": grain, "start": AS_OF + timedelta(days=days * k), "days": days,
         "expected": 99.0, "expected_off_promotion": 14.0 * days / 7,
         **dict.fromkeys(("median", "low_80", "high_80", "low_95", "high_95"), 1.0),
         "stock_needed": 1.0, "model": "ses", "interval_by": "trees"}
        for i in ids for grain, days in (("week", 7), ("day", 1)) for k in range(HORIZON // days)
    ]  # fmt: skip
    return table(spark, DEMAND_FORECAST, rows)


def catalogue(spark: SparkSession) -> DataFrame:
    return table(spark, ITEMS, [
        {"item_id": f"i{n:02d}", "valid_from": at().cutoff - timedelta(days=200), "category": [f"c{n % 2}"]}
        for n in range(ITEMS_SOLD)
    ])  # fmt: skip


def named(spark: SparkSession, *days: tuple[str, int, int], **fields: Any) -> DataFrame:
    """A calendar: items with the first and the last day of a promotion, counted from the as-of date."""
    return table(spark, PROMOTIONS, [
        {"source": "s", "promotion_id": f"p{first}", "item_id": item, "first_day": AS_OF + timedelta(days=first),
         "last_day": AS_OF + timedelta(days=last), "is_cancelled": False, "seen_date": AS_OF - timedelta(days=1),
         "copies": 1, **fields}
        for item, first, last in days
    ])  # fmt: skip


def on(days: Iterable[int]) -> list[dict[str, int]]:
    """Days on promotion as promoted_days tells them."""
    return [{"day": day, "told": 0} for day in days]


def told(
    spark: SparkSession, rows: list[dict[str, Any]], when: Night | None = None, *more: str,
    calendar: DataFrame | None = None,
) -> pd.DataFrame:  # fmt: skip
    ids = [*(f"i{n:02d}" for n in range(ITEMS_SOLD)), *more]
    calendar = named(spark) if calendar is None else calendar
    found = demand_what_if(table(spark, EVENTS, rows), catalogue(spark), calendar, forecast(spark, ids), when or at())
    return found.orderBy("item_id", "price_change", "is_promotion").toPandas()


@pytest.fixture(scope="module")
def past() -> list[dict[str, Any]]:
    # Of an item whose price never changed, and one that was seen too seldom to have a price of a day.
    steady = [sale("steady", -d, USUAL, 0) for d in range(1, DAYS)]
    return [*sales(range(-DAYS, 0), seed=1), *steady, sale("seldom", -3, CUT, 1)]


@pytest.fixture(scope="module")
def said(spark: SparkSession, past: list[dict[str, Any]]) -> pd.DataFrame:
    return told(spark, past, None, "steady", "seldom", "unseen")


def test_every_item_with_a_forecast_and_a_price_has_a_row_for_each_change(said: pd.DataFrame) -> None:
    counted = said.groupby("item_id").size()
    assert set(counted.index) == {*(f"i{n:02d}" for n in range(ITEMS_SOLD)), "steady", "seldom"}
    assert set(counted) == {6}
    assert said["price_change"].head(6).tolist() == [-0.3, -0.2, -0.1, 0.0, 0.1, 0.2]
    assert set(said["days"]) == {HORIZON}
    assert set(said["currency"]) == {"GBP"}


def test_the_planted_response_is_found_with_an_interval_that_holds_it(said: pd.DataFrame) -> None:
    of_item = said[(said["price_change"] == 0) & said["item_id"].str.startswith("i")]
    # One height of promotion cannot tell its elasticity from its lift: what it does at that height is known.
    cut = np.log(0.8) * of_item["elasticity"] + np.log(of_item["promotion_lift"])
    assert cut.mean() == pytest.approx(np.log(0.8) * ELASTICITY, abs=0.15)
    assert (of_item["elasticity_low_80"] < of_item["elasticity"]).all()
    assert (of_item["elasticity_high_80"] > of_item["elasticity"]).all()


def test_rows_are_arithmetic_on_the_forecast_and_the_price(said: pd.DataFrame) -> None:
    rows = said[said["item_id"] == "steady"].set_index("price_change")
    stays, less, slightly = rows.loc[0.0], rows.loc[-0.2], rows.loc[0.1]
    assert (stays["expected"], stays["low_80"], stays["high_80"]) == (56.0, 56.0, 56.0)
    assert (stays["price"], stays["usual_price"], stays["revenue"]) == (10.0, 10.0, 560.0)
    assert (stays["revenue_change"], stays["chance_of_more_revenue"]) == (0.0, 0.5)
    assert less["price"] == 8.0
    assert bool(less["is_promotion"])
    assert not bool(rows.loc[0.1, "is_promotion"])
    expected = 56 * 0.8 ** less["elasticity"] * less["promotion_lift"]
    assert less["expected"] == pytest.approx(expected)
    assert less["revenue"] == pytest.approx(8 * expected)
    assert less["revenue_change"] == pytest.approx(0.8 * expected / 56 - 1)
    assert slightly["expected"] == pytest.approx(56 * 1.1 ** slightly["elasticity"])
    assert less["low_80"] < less["expected"] < less["high_80"]
    assert (less["chance_of_more_revenue"] > 0.5) == (less["revenue_change"] > 0)


def test_it_is_told_whose_prices_taught_it(said: pd.DataFrame) -> None:
    stays = said[said["price_change"] == 0].set_index("item_id")
    assert set(stays.loc[stays.index.str.startswith("i"), "learned_from"]) == {"item"}
    assert stays.loc["steady", ["learned_from", "price_days"]].tolist() == ["shop", 0]
    assert stays.loc["seldom", "price"] == 8.0
    assert (stays.loc[stays.index.str.startswith("i"), "price_days"] > 14).all()


@pytest.fixture(scope="module")
def otherwise(spark: SparkSession, past: list[dict[str, Any]]) -> pd.DataFrame:
    """`i00` had one price all along, `i01` is on promotion tonight, `i04` was only looked at on promotion."""
    rows = [r for r in past if r["item_id"] != "i00" and not (r["item_id"] == "i04" and r["price"] == CUT)]
    lately = AS_OF - timedelta(days=9)
    rows = [r | {"price": CUT} if r["item_id"] == "i01" and r["event_date"] >= lately else r for r in rows]
    steady = [sale("i00", -d, USUAL, 0) for d in range(1, DAYS)]
    days = [d for d in range(-DAYS, 0) if (d // 7 + 4) % 5 == 0]
    views = [sale("i04", d, CUT, 800 + k, event_type="view") for d in days for k in range(3)]
    found = told(spark, [*rows, *steady, *views], at(price_changes=[-0.2, 0.25]))
    return found.set_index(["item_id", "price_change"])


def test_an_item_of_a_known_category_without_other_prices_is_taught_by_it(otherwise: pd.DataFrame) -> None:
    assert otherwise.loc[("i00", 0.0), "learned_from"] == "category"


def test_on_promotion_tonight_the_usual_price_is_told_and_loses_orders(otherwise: pd.DataFrame) -> None:
    assert otherwise.loc[("i01", 0.0), ["price", "usual_price", "is_promotion"]].tolist() == [8.0, 10.0, True]
    back = otherwise.loc[("i01", 0.25)]
    assert (back["price"], bool(back["is_promotion"])) == (10.0, False)
    assert back["expected"] < 0.8 * 56


def test_views_tell_the_price_of_days_without_orders(otherwise: pd.DataFrame) -> None:
    # Nobody bought it on promotion, which without views would not be known.
    assert otherwise.loc[("i04", 0.0), "price_days"] > 14
    assert otherwise.loc[("i04", -0.2), "expected"] < otherwise.loc[("i05", -0.2), "expected"]


def test_what_comes_later_bots_returns_other_currencies_and_the_layout_of_rows_change_nothing(
    spark: SparkSession, past: list[dict[str, Any]], said: pd.DataFrame
) -> None:
    later = sales(range(0, HORIZON), seed=9, price=Decimal("1.0000"))
    robots = [r | {"is_bot": True, "event_id": f"b{r['event_id']}"} for r in later]
    robots = [r | {"event_date": AS_OF - timedelta(days=2)} for r in robots]
    ids = [f"i{n:02d}" for n in range(ITEMS_SOLD)]
    returns = [sale(i, -1, Decimal("0.5000"), 90 + n, event_type="return") for n, i in enumerate(ids)]
    foreign = [sale("i03", -d, Decimal("11.0000"), 700, currency="EUR", event_type="view") for d in range(1, DAYS)]
    rows = [*past, *later, *robots, *returns, *foreign][::-1]
    asked = forecast(spark, [*ids, "steady", "seldom"])
    events = table(spark, EVENTS, rows).repartition(5, "event_id")
    found = demand_what_if(events, catalogue(spark), named(spark), asked, at())
    pd.testing.assert_frame_equal(found.orderBy("item_id", "price_change").toPandas(), said)


@pytest.mark.parametrize("kind", ["no events", "one price", "no price or none to pay", "switched off"])
def test_where_no_price_ever_changed_nothing_is_told(spark: SparkSession, kind: str) -> None:
    few = range(-28, 0)
    rows = {
        "no events": [], "one price": sales(few, 1, price=USUAL), "switched off": sales(range(-2, 0), 1),
        "no price or none to pay": sales(few, 1, price=None, currency=None) + sales(few, 2, price=Decimal(0)),
    }[kind]  # fmt: skip
    assert told(spark, rows, at(enabled=kind != "switched off")).empty


def test_only_the_prices_that_are_seen_most_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    days = [
        {"day": d, "currency": "GBP", "cents": 800 if d % 4 == 0 else 1000, "seen": 3, "lines": 1} for d in range(28)
    ]
    frame = pd.DataFrame({"item_id": ["i"], "days": [days], "promoted": [None]})
    read = demand_module._cells(np.ones(28), WhatIfSettings(), is_named=False)
    (both,) = read(iter([frame]))
    assert (both["price_days"].tolist(), both["price"].tolist()) == ([7], [10.0])
    monkeypatch.setattr(demand_module, "MOST_PRICES", 1)
    (one,) = read(iter([frame]))
    assert (one["price_days"].tolist(), one["price"].tolist()) == ([0], [10.0])


def test_no_price_is_borrowed_across_the_edge_of_a_named_promotion() -> None:
    # Seen at 8 on one day of a week on promotion, at 10 on two days before and after it.
    days = [{"day": d, "currency": "GBP", "cents": c, "seen": 3, "lines": 1}
            for d, c in ((0, 1000), (5, 1000), (8, 800), (15, 1000), (20, 1000))]  # fmt: skip
    frame = pd.DataFrame({"item_id": ["i"], "days": [days], "promoted": [on(range(7, 14))]})
    settings = WhatIfSettings(reach_days=5, period_days=21, least_known=0.5)
    (named,) = demand_module._cells(np.ones(21), settings, is_named=True)(iter([frame]))
    assert named["is_promotion"].tolist() == [[1.0, 0.0]]
    assert named["exposure"].tolist() == [[7.0, 14.0]]
    assert named["log_ratio"][0] == pytest.approx([np.log(0.8), 0.0])
    (guessed,) = demand_module._cells(np.ones(21), settings, is_named=False)(iter([frame]))
    assert guessed["exposure"].tolist() != named["exposure"].tolist()


def test_tonights_price_is_that_of_days_like_tonight() -> None:
    # At 8 on promotion in the last week and in one before it, at 10 otherwise.
    days = [{"day": d, "currency": "GBP", "cents": 800 if d // 7 in (0, 2) else 1000, "seen": 3, "lines": 1}
            for d in range(21)]  # fmt: skip
    week = [*range(7), *range(14, 21)]
    ended, goes_on, begins = on(week), on([*week, 21]), on([*range(7, 14), 21])
    frame = pd.DataFrame({"item_id": ["a", "b", "c"], "days": [days] * 3, "promoted": [ended, goes_on, begins]})
    (found,) = demand_module._cells(np.ones(21), WhatIfSettings(), is_named=True)(iter([frame]))
    assert found["price"].tolist() == [10.0, 8.0, 10.0]
    assert found["promotion_tonight"].tolist() == [False, True, True]
    assert found["usual_price"].tolist() == [10.0, 10.0, 8.0]


def test_only_so_many_items_are_learned_from(
    spark: SparkSession, past: list[dict[str, Any]], said: pd.DataFrame
) -> None:
    found = told(spark, past, at(max_items=1))
    assert len(found) == 6 * ITEMS_SOLD
    few = found.loc[found["price_change"] == 0, "elasticity_high_80"] - found["elasticity_low_80"]
    many = said.loc[said["price_change"] == 0, "elasticity_high_80"] - said["elasticity_low_80"]
    assert few.mean() > many.mean()


def test_settings_that_make_no_sense_are_refused() -> None:
    for wrong in ({"price_changes": [-1.0]}, {"price_changes": []}, {"promotion_from": 0}, {"period_days": 1}):
        with pytest.raises(ValidationError):
            WhatIfSettings.model_validate(wrong)


def test_named_promotions_are_told_apart_from_cheap_days(spark: SparkSession) -> None:
    """On promotion twice as many are ordered, at the usual price; being cheap alone changes nothing."""
    rng, rows, days = np.random.default_rng(3), [], []
    for n in range(ITEMS_SOLD):
        for day in range(-DAYS, 0):
            week = (day // 7 + n) % 5
            orders = int(rng.poisson(2.0 * (2.0 if week == 0 else 1.0)))
            price = CUT if week == 2 else USUAL
            rows += [sale(f"i{n:02d}", day, price, len(rows) + k) for k in range(orders)]
            days += [(f"i{n:02d}", day, day + 6)] if week == 0 and day % 7 == 0 else []
    tonight = [("i03", 0, 6), ("i04", 1, 7)]
    calendar = named(spark, *days, *tonight).unionByName(named(spark, ("i05", 0, 6), is_cancelled=True))
    found = told(spark, rows, at(price_changes=[-0.2]), calendar=calendar).set_index(["item_id", "price_change"])
    assert len(found) == 4 * ITEMS_SOLD
    assert found["is_promotion"].tolist() == [False, True] * (2 * ITEMS_SOLD)
    assert set(found.index[found["promotion_tonight"]].get_level_values(0)) == {"i03"}
    assert found["promotion_lift"].mean() == pytest.approx(2.0, rel=0.1)
    assert found["elasticity"].mean() == pytest.approx(0.0, abs=0.6)
    stays, promoted = found.loc[("i00", 0.0)].to_dict("records")
    assert (stays["expected"], stays["revenue_change"]) == (56.0, 0.0)
    assert promoted["expected"] == pytest.approx(56 * promoted["promotion_lift"])
    assert promoted["revenue"] == pytest.approx(10 * promoted["expected"])
    # On promotion tonight: the forecast's units off promotion are those once it has ended.
    ended, goes_on = found.loc[("i03", 0.0)].to_dict("records")
    assert (ended["expected"], ended["low_80"]) == (56.0, 56.0)
    assert goes_on["expected"] == pytest.approx(56 * goes_on["promotion_lift"])
    assert (goes_on["revenue_change"], goes_on["chance_of_more_revenue"]) == (0.0, 0.5)
    assert ended["revenue_change"] == pytest.approx(1 / ended["promotion_lift"] - 1)
    # By the price alone, the weeks at 20 % less would be the promotions, and would change nothing.
    unnamed = told(spark, rows, at(price_changes=[-0.2]))
    assert len(unnamed) == 2 * ITEMS_SOLD
    less = unnamed[unnamed["price_change"] == -0.2]
    assert (less["expected"] / 56).mean() < 1.3


def judged(spark: SparkSession, later: list[dict[str, Any]], **said: float) -> dict[tuple[str, str], Any]:
    fields = {
        "price_change": 0.0, "is_promotion": False, "promotion_tonight": False, "price": 10.0, "usual_price": 10.0,
        "days": HORIZON,
        "expected": 56.0, "low_80": 56.0, "high_80": 56.0, "revenue": 560.0, "revenue_change": 0.0,
        "chance_of_more_revenue": 0.5, "elasticity": ELASTICITY, "elasticity_low_80": -4.0, "elasticity_high_80": -2.0,
        "promotion_lift": 1.0, "learned_from": "item", "price_days": 9, **said,
    }  # fmt: skip
    rows = [{"item_id": f"i{n:02d}", **fields} for n in range(ITEMS_SOLD)]
    found = judge_what_if(table(spark, EVENTS, later), named(spark), table(spark, DEMAND_WHAT_IF, rows), at())
    return {(r.metric, r.model): r for r in found.collect()}


def test_the_judge_tells_a_right_response_from_none(spark: SparkSession, past: list[dict[str, Any]]) -> None:
    later = [*past, *sales(range(0, HORIZON + 30), seed=5)]
    found = judged(spark, later)
    ratio = {model: found["promotion_orders", model] for model in ("what_if", "no_response")}
    assert ratio["what_if"].low < 1.0 < ratio["what_if"].high
    assert ratio["no_response"].low > 1.2
    assert found["log_likelihood_gain", "what_if"].low > 0
    # Within four weeks four items of five have their week of the lower price.
    assert found["log_likelihood_gain", "what_if"]["count"] == sum(n % 5 != 1 for n in range(ITEMS_SOLD))
    assert judged(spark, later, elasticity=3.0)["log_likelihood_gain", "what_if"].high < 0


def test_of_days_after_the_horizon_nothing_is_judged(spark: SparkSession) -> None:
    assert judged(spark, sales(range(HORIZON, HORIZON + 30), seed=5)) == {}


def test_the_judge_says_nothing_without_later_days_or_rows(spark: SparkSession, past: list[dict[str, Any]]) -> None:
    assert judged(spark, past) == {}
    assert judged(spark, []) == {}
    later = table(spark, EVENTS, sales(range(0, HORIZON), seed=5))
    assert judge_what_if(later, named(spark), table(spark, DEMAND_WHAT_IF, []), at()).count() == 0
