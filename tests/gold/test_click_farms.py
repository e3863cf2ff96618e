"""Click farms: noticed where they are planted, on no ordinary day, and by nothing that came later."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from recsynth.gold.click_farms import click_farms
from recsynth.gold.interactions import interactions
from recsynth.gold.item_demand import item_demand
from recsynth.settings import Settings
from tests.gold.farms import BOUGHT, DAY0, FARM, farm, shop
from tests.rows import events, night

AS_OF = date(2024, 4, 1)


def at(**farms: object) -> Any:
    gold = {"farms": farms, "windows": {"count": 1, "days": 7, "step_days": 7}}
    return night(AS_OF, Settings.model_validate({"gold": gold}))


def found(spark: SparkSession, rows: list[tuple[Any, ...]], **farms: object) -> dict[tuple[str, str], Any]:
    said = click_farms(events(spark, rows), at(**farms)).collect()
    return {(r.user_id, r.item_id): r for r in said}


def test_a_farm_is_noticed_and_nobody_else(spark: SparkSession) -> None:
    pairs = found(spark, shop() + farm())
    assert set(pairs) == {(u, "i7") for u in FARM}
    row = pairs["f01", "i7"]
    # On the first day with 20 of them; ordinary accounts came to i7 in that week too.
    assert row.noticed.date() == date(2024, 3, 22)
    assert row.accounts > row.shallow_accounts == 20
    assert row.chance < 1e-6 < row.usual_share < 0.5
    assert found(spark, shop()) == {}


def test_who_came_before_it_was_noticed_is_left_out_too_but_nobody_beyond_the_days(spark: SparkSession) -> None:
    early = [("e1", "i7", "view", DAY0 + timedelta(days=19)), ("e2", "i7", "view", DAY0 + timedelta(days=2))]
    assert set(found(spark, shop() + farm() + early)) - {(u, "i7") for u in FARM} == {("e1", "i7")}


@pytest.mark.parametrize("other", ["as many everywhere", "few", "old accounts", "buyers", "who look around"])
def test_what_is_no_farm(spark: SparkSession, other: str) -> None:
    old = [(u, f"i{n % 8}", "view", DAY0) for n, u in enumerate(FARM)]
    rows = {
        "as many everywhere": [
            (f"{i}{u}", f"i{i}", e, ts) for i in range(8) for u, _, e, ts in farm() if e == "view"
        ],
        "few": farm()[:15],
        "old accounts": old + farm(),
        "buyers": [(u, "i1", "purchase", ts) for u, _, e, ts in farm() if e == "view"] + farm(),
        "who look around": [(r[0], f"i{n}", "view", r[3]) for r in farm() if r[2] == "view" for n in range(4)] + farm(),
    }[other]  # fmt: skip
    assert found(spark, shop() + rows) == {}


def test_later_days_change_nothing_of_what_was_noticed(spark: SparkSession) -> None:
    until = DAY0 + timedelta(days=21, hours=1)
    early = [r for r in shop() + farm() if r[3] <= until]
    later = [*shop(), *farm(), *((u, f"i{n}", "purchase", DAY0 + timedelta(days=30)) for u in FARM for n in range(6))]
    before, after = found(spark, early), found(spark, later)
    assert before
    assert all(after[pair] == row for pair, row in before.items())


def test_what_a_farm_did_counts_for_nothing_but_what_it_paid_for(spark: SparkSession) -> None:
    rows, plain = events(spark, shop() + farm()), events(spark, shop())
    guarded, told = at(), at(leave_out=False)
    said = click_farms(rows, guarded).persist()

    def matrix(of: Any, tonight: Any, name: str = "interactions") -> dict[tuple[str, str], float]:
        made = interactions(of, said, tonight)
        return {(r.user_id, r.item_id): r.weight for r in made[name].collect()}  # type: ignore[call-overload]

    with_farm, without = matrix(rows, guarded), matrix(plain, guarded)
    assert {p: w for p, w in with_farm.items() if p != (BOUGHT, "i7")} == pytest.approx(without)
    assert with_farm[BOUGHT, "i7"] > 0.9
    assert {p for p in matrix(rows, told) if p[0] in FARM} == {(u, "i7") for u in FARM}
    # At the earlier cut-off, 25 March, it was known; at none before the 22nd would it have been.
    assert {p for p in matrix(rows, guarded, "window_interactions") if p[0] in FARM} == {(BOUGHT, "i7")}

    def demand(of: Any, tonight: Any) -> float:
        tonights = item_demand(of, said, tonight).where("item_id = 'i7'").orderBy("cutoff").collect()
        return float(tonights[-1].demand_7)

    unpaid = events(spark, [r for r in shop() + farm() if r[0] not in FARM or r[2] == "view"])
    assert demand(unpaid, guarded) == pytest.approx(demand(plain, guarded))
    assert demand(rows, told) > demand(rows, guarded) > demand(plain, guarded)


def test_an_empty_shop_has_none(spark: SparkSession) -> None:
    assert found(spark, []) == {}


def test_it_can_be_switched_off(spark: SparkSession) -> None:
    assert found(spark, shop() + farm(), enabled=False) == {}
