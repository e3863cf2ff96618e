"""Dirt: each kind at its declared rate, each broken row broken in the way it says, drift from its day on."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recsynth.shop.catalogue import snapshot
from recsynth.shop.catalogue_dirt import soiled
from recsynth.shop.dirt import BREAKS, TRUNCATED, Line, bot_events, landed
from recsynth.shop.settings import DirtSettings, ShopSettings
from recsynth.shop.shelves import Stock
from recsynth.tables.silver import EVENT_TYPES
from tests.shop.conftest import SEED, Shop


@pytest.fixture(scope="module")
def lines(shop: Shop) -> list[Line]:
    return [line for events in shop.by_user for line in landed(events, shop.stock)]


def shop_of(dirt: DirtSettings) -> ShopSettings:
    return ShopSettings(users=10, items=100, days=56, dirt=dirt)


def within(count: int, of: int, rate: float) -> bool:
    """Within 4 deviations of a binomial count."""
    return abs(count - of * rate) <= 4 * np.sqrt(of * rate * (1 - rate))


def test_every_event_lands_once_and_what_is_beside_it_is_named(shop: Shop, lines: list[Line]) -> None:
    good = [line.event_id for line in lines if line.defect in ("", "late")]
    assert good == [e.sent["event_id"] for events in shop.by_user for e in events]
    assert {line.defect for line in lines} == {"", "late", "duplicate", "near_duplicate", *BREAKS}


def test_rates_are_as_declared(shop: Shop, lines: list[Line]) -> None:
    found = Counter(line.defect for line in lines)
    events, dirt = shop.events, shop.stock.settings.dirt
    # On the last day nothing is late any more: there is no later file.
    assert within(found["late"], int((events["day"] < 83).sum()), dirt.late)
    assert within(found["duplicate"], len(events), dirt.duplicates)
    seen = int(events["event_type"].isin(["view", "click"]).sum())
    assert within(found["near_duplicate"], seen, dirt.near_duplicates)
    assert within(sum(found[reason] for reason in BREAKS), len(events), dirt.broken)


def test_late_events_land_one_to_three_days_after_their_own(shop: Shop, lines: list[Line]) -> None:
    day = {e.sent["event_id"]: e.day for events in shop.by_user for e in events}
    delays = {line.file_day - day[line.event_id] for line in lines if line.defect == "late"}
    assert delays == {1, 2, 3}
    assert all(line.file_day == day[line.event_id] for line in lines if line.defect == "")
    assert max(line.file_day for line in lines) == 83


def test_a_duplicate_is_the_same_letter_by_letter_in_the_same_file(lines: list[Line]) -> None:
    first = {line.event_id: line for line in lines if line.defect in ("", "late")}
    doubles = [line for line in lines if line.defect == "duplicate"]
    assert doubles
    assert all((d.line, d.file_day) == (first[d.event_id].line, first[d.event_id].file_day) for d in doubles)


def test_a_near_duplicate_differs_by_its_id_and_a_second(shop: Shop, lines: list[Line]) -> None:
    first = {e.sent["event_id"]: e.sent for events in shop.by_user for e in events}
    for line in (x for x in lines if x.defect == "near_duplicate"):
        sent = json.loads(line.line)
        origin = first[line.event_id.removesuffix("-again")]
        assert pd.Timestamp(sent["ts"]) - pd.Timestamp(origin["ts"]) == pd.Timedelta(seconds=1)
        assert sent["event_type"] == origin["event_type"]


def is_broken_as(reason: str, sent: dict[str, Any]) -> bool:
    """A second opinion on a row, written from the reasons' names."""
    item = sent.get("item_id", sent.get("sku", ""))
    return {
        "missing user_id": "user_id" not in sent, "missing item_id": not item.strip(),
        "missing ts": "ts" not in sent, "unparsable ts": not sent.get("ts", "2")[0].isdigit(),
        "ts out of range": sent.get("ts", "").startswith("1970"),
        "missing event_type": sent["event_type"] == "", "unknown event_type": sent["event_type"] == "teleport",
        "negative price": sent.get("price") == -1.5, "unparsable price": sent.get("price") == "cheap",
        "quantity not positive": sent.get("quantity") == 0, "unparsable quantity": sent.get("quantity") == "many",
        "rating out of range": sent.get("rating") == 9, "unparsable rating": sent.get("rating") == "good",
        "missing query": sent.get("query") == "",
    }[reason]  # fmt: skip


def test_broken_rows_are_broken_in_the_way_they_say_and_in_no_other(lines: list[Line]) -> None:
    for line in (x for x in lines if x.defect in BREAKS):
        if line.defect == TRUNCATED:
            with pytest.raises(json.JSONDecodeError):
                json.loads(line.line)
            assert line.line
            continue
        sent = json.loads(line.line)
        others = [r for r in BREAKS if r not in (TRUNCATED, line.defect, "missing item_id")]
        assert is_broken_as(line.defect, sent)
        assert not any(is_broken_as(other, sent) for other in others)
        if sent["event_type"] != "search" and line.defect != "missing item_id":
            assert not is_broken_as("missing item_id", sent)


def test_every_other_line_is_whole(lines: list[Line]) -> None:
    for line in lines:
        if line.defect not in BREAKS:
            sent = json.loads(line.line)
            assert (sent["event_id"], sent["user_id"]) == (line.event_id, line.user_id)
            assert sent["event_type"] in EVENT_TYPES


def test_files_change_their_fields_on_their_days(shop: Shop, lines: list[Line]) -> None:
    dirt = shop.stock.settings.dirt
    for line in lines:
        if line.defect != TRUNCATED:
            sent = json.loads(line.line)
            assert ("device" in sent) == (line.file_day >= dirt.device_from_day)
            assert not ("sku" in sent and line.file_day < dirt.sku_from_day)
            assert not ("item_id" in sent and line.file_day >= dirt.sku_from_day)
    devices = {(x.user_id, json.loads(x.line).get("device")) for x in lines if x.defect == "" and x.file_day > 40}
    assert len(devices) == len({user for user, _ in devices})


def test_a_bot_is_faster_than_anyone_and_comes_to_no_item_twice_in_a_second(dirty: DirtSettings) -> None:
    stock = Stock(shop_of(dirty), SEED)
    for number in range(3):
        events = [e.sent for e in bot_events(number, stock)]
        ts = pd.Series(pd.to_datetime([e["ts"] for e in events], format="ISO8601"))
        assert len(events) == 300
        assert set(ts.diff().dropna().dt.total_seconds()) == {0.5}
        items = [e["item_id"] for e in events]
        # In turns through a catalogue of some 70: the next time is half a minute later.
        assert all(len(set(items[i : i + 60])) == 60 for i in range(240))
    assert [e.sent for e in bot_events(1, Stock(shop_of(dirty), SEED))] == [e.sent for e in bot_events(1, stock)]


def test_without_dirt_all_is_clean(shop: Shop) -> None:
    clean = DirtSettings(duplicates=0, near_duplicates=0, late=0, broken=0, bots=0)
    stock = Stock(shop.stock.settings.model_copy(update={"dirt": clean}), SEED)
    assert {line.defect for line in landed(shop.by_user[0], stock)} == {""}
    assert list(landed([], stock)) == []


def test_catalogue_files_have_their_dirt_too(shop: Shop) -> None:
    settings = shop.stock.settings
    files = {day: soiled(snapshot(shop.items, day), day, settings, SEED) for day in range(0, 84, 7)}
    rows = pd.concat(files.values())
    found, good = rows["defect"].value_counts(), int((rows["defect"] == "").sum())
    assert good == sum(len(snapshot(shop.items, day)) for day in files)
    assert within(found["duplicate"], good, settings.dirt.duplicates)
    broken = rows[~rows["defect"].isin(["", "duplicate"])]
    assert within(len(broken), good, settings.dirt.broken)
    assert (broken.loc[broken["defect"] == "missing item_id", "item_id"] == "").all()
    assert (broken.loc[broken["defect"] == "negative price", "price"] == -1.5).all()
    assert (broken.loc[broken["defect"] == "unparsable price", "price"] == "cheap").all()
    assert soiled(snapshot(shop.items, 7), 7, settings, SEED).equals(files[7])
