"""Conversations: a share of customers asks, each state lands once, and what was planted is told of every ticket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pyspark.sql import SparkSession

from recsynth.shop.conversations import NEW_DAYS, TICKET_LINES, ticket_lines
from recsynth.shop.landing import event_lines
from recsynth.shop.questions import INTENTS, OTHER, OUT_OF_SCOPE, POLICIES
from recsynth.shop.settings import ShopSettings

SHOP = ShopSettings(users=300, items=60, days=60, sessions_per_day=0.3, dirt={"broken": 0.1, "bots": 1})
SEED = 5
Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def lines(spark: SparkSession) -> Lines:
    events = event_lines(spark, SHOP, SEED).persist()
    rows = [row.asDict() for row in ticket_lines(events, SHOP, SEED).collect()]
    again = ticket_lines(events.repartition(7), SHOP, SEED).collect()
    assert sorted(map(str, rows)) == sorted(str(row.asDict()) for row in again), "the same whatever the partitions"
    return [row | {"sent": json.loads(row["line"])} for row in rows]


def test_a_ticket_lands_when_it_is_asked_and_again_when_it_is_answered(lines: Lines) -> None:
    asked, answered = ({r["ticket_id"]: r for r in lines if r["defect"] == d} for d in ("", "answered"))
    assert len(asked) == sum(r["defect"] == "" for r in lines) > 150
    assert set(answered) < set(asked), "what is asked on the last days is still open"
    for ticket, last in answered.items():
        assert 0 <= last["file_day"] - asked[ticket]["file_day"] <= 3
        assert last["sent"]["answered_at"] > last["sent"]["ts"] == asked[ticket]["sent"]["ts"]
        assert "intent" not in asked[ticket]["sent"]
    assert all(r["user_id"].startswith("U") for r in lines), "bots ask nothing"


def test_shares_are_those_of_the_settings(lines: Lines) -> None:
    asked = [r for r in lines if r["defect"] == ""]
    answered = [r for r in lines if r["defect"] == "answered"]
    noted = [r for r in answered if "intent" in r["sent"]]
    letters = [r for r in answered if r["sent"]["answer"] and r["sent"]["answer"].split()[-1].isdigit()]
    for part, whole, share in (
        ([r for r in asked if r["is_out_of_scope"]], asked, SHOP.out_of_scope_share),
        (noted, answered, SHOP.label_share),
        (letters, [r for r in answered if r["sent"]["answer"]], SHOP.letter_share),
        ([r for r in lines if r["defect"] not in ("", "answered")], asked, SHOP.dirt.broken),
    ):  # fmt: skip
        assert len(part) / len(whole) == pytest.approx(share, abs=4 * (share * (1 - share) / len(whole)) ** 0.5)


def test_agents_note_what_was_planted_and_call_the_rest_other(lines: Lines) -> None:
    new = {i.name for i in INTENTS["en"] if i.is_new}
    for row in lines:
        if "intent" in row["sent"]:
            known = not row["is_out_of_scope"] and row["intent"] not in new
            assert row["sent"]["intent"] == (row["intent"] if known else OTHER)
    assert min(r["file_day"] for r in lines if r["intent"] in new) >= SHOP.days - NEW_DAYS
    about_orders = {i.name for i in INTENTS["en"] if "{order_id}" in i.answer}
    assert all(r["order_id"] for r in lines if r["intent"] in about_orders)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_phrasing_can_be_said_and_every_policy_named_is_there(language: str) -> None:
    facts = dict.fromkeys(("order_id", "date", "item", "colour", "material", "size"), "x")
    for intent in INTENTS[language]:
        assert all("{" not in q.format(**facts) for q in (*intent.questions, intent.answer))
        assert intent.policy is None or intent.policy in POLICIES[language]
        assert intent.answer or intent.is_new
    assert len(OUT_OF_SCOPE[language]) == len(set(OUT_OF_SCOPE[language])) >= 8
    assert len(TICKET_LINES.split(",")) == 9
