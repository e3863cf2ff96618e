"""Answer templates: whole facts are taken out, what few customers got stays with them, orders are the asker's."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from recsynth.apps.answer_templates import answer_templates, best_fit, delexicalised, filled, with_facts
from recsynth.settings import Settings
from recsynth.tables.silver import EVENTS, ITEMS, TICKETS
from tests.rows import night, table

AS_OF = date(2024, 6, 1)
CUTOFF = night(AS_OF).cutoff
FACTS = {"order_id": "O7", "date": "2024-05-01", "item": "red mug", "colour": "red", "material": "", "size": "S"}


def test_facts_are_taken_out_as_whole_words_the_longest_first() -> None:
    said = "Your red mug (order O7 of 2024-05-01) is ordered again; O77 is not. Size S."
    made = "Your {item} (order {order_id} of {date}) is ordered again; O77 is not. Size {size}."
    assert delexicalised(said, FACTS) == made
    assert delexicalised("Use {order_id}.", {}) == "Use (order_id)."
    assert delexicalised("红色杯子", {"colour": "红色"}) == "{colour}杯子"
    assert filled(made, FACTS) == said


def test_a_template_that_a_fact_is_missing_for_is_not_used() -> None:
    assert filled("Made of {material}.", FACTS) is None
    assert filled("A {what} of none.", FACTS) is None
    assert best_fit(["Made of {material}.", "It is {colour}."], FACTS) == "It is red."
    assert best_fit([], FACTS) is None
    # What stands in for a slot is never a slot itself.
    assert filled("{item} {colour}", {"item": "{colour}", "colour": "red"}) == "{colour} red"


def test_templates_are_what_several_customers_got_and_no_letter_is_among_them(spark: SparkSession) -> None:
    rows = [("where", f"u{n}", f"Order O{n} is on its way.", {"order_id": f"O{n}"}) for n in range(3)]
    rows += [("where", f"u{n}", f"Order O{n} went to Mill Lane {n}.", {"order_id": f"O{n}"}) for n in range(9)]
    rows += [("where", "u0", "Please wait.", {})] * 5 + [("where", f"u{n}", "Soon.", {}) for n in range(4)]
    answered = spark.createDataFrame(rows, "intent string, user_id string, answer string, facts map<string,string>")
    found = {r.template: r.customers for r in answer_templates(answered, 3, 5).collect()}
    assert found == {"Order {order_id} is on its way.": 3, "Soon.": 4}
    assert [r.template for r in answer_templates(answered, 3, 1).collect()] == ["Soon."]


@pytest.fixture(scope="module")
def facts(spark: SparkSession) -> dict[str, Row]:
    def bought(user: str, order: str, item: str, days: float) -> dict[str, Any]:
        ts = CUTOFF - timedelta(days=days)
        return {"event_id": f"{user}{order}{item}", "user_id": user, "item_id": item, "event_type": "purchase",
                "ts": ts, "event_date": ts.date(), "order_id": order, "price": Decimal(1), "session_id": "s",
                "source": "s", "is_bot": False, "is_near_duplicate": False, "copies": 1}  # fmt: skip

    orders = (("u", "O1", "mug", 9.1), ("u", "O2", "pan", 5), ("v", "O3", "mug", 4), ("u", "O4", "mug", 1))
    events = table(spark, EVENTS, [bought(*order) for order in orders])
    items = table(spark, ITEMS, [
        {"item_id": i, "valid_from": datetime(2024, 1, 1), "title": f"red {i}", "description": f"A {i}.",
         "attributes": {"Main colour": "red", "item": "x", "颜色": "红", "尺寸": "大"}} for i in ("mug", "pan")
    ])  # fmt: skip
    asked = [
        ("last", "u", 3, None, None), ("of_item", "u", 3, None, "mug"), ("own", "u", 3, "O1", None),
        ("stranger", "u", 3, "O3", None), ("later", "u", 3, "O4", None), ("nobody", None, 3, "O3", None),
        ("unbought", "v", 3, None, "pan"),
    ]  # fmt: skip
    tickets = table(spark, TICKETS, [
        {"source": "s", "ticket_id": t, "user_id": u, "ts": CUTOFF - timedelta(days=d), "question": "?", "order_id": o,
         "item_id": i, "copies": 1} for t, u, d, o, i in asked
    ])  # fmt: skip
    at = night(AS_OF, Settings.model_validate({"shop_time_zone": "UTC"}))
    return {r.ticket_id: r for r in with_facts(tickets, events, items, at).collect()}


def test_the_order_is_the_one_named_or_the_last_of_the_asker_before_the_question(facts: dict[str, Row]) -> None:
    orders = {ticket: row.facts.get("order_id") for ticket, row in facts.items()}
    assert orders == {"last": "O2", "of_item": "O1", "own": "O1", "stranger": None, "later": None, "nobody": None,
                      "unbought": None}  # fmt: skip
    assert facts["own"].facts == {"order_id": "O1", "date": "2024-05-22", "item": "red mug", "main_colour": "red",
                                  "颜色": "红", "尺寸": "大"}  # fmt: skip


def test_what_everybody_may_know_of_the_item_asked_about_needs_no_order(facts: dict[str, Row]) -> None:
    assert facts["unbought"].facts == {"item": "red pan", "main_colour": "red", "颜色": "红", "尺寸": "大"}
    assert facts["unbought"].item_text == "A pan."
    assert facts["stranger"].facts == {}
