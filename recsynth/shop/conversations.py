"""Conversations: what customers of the simulated shop ask its service after a visit, and what agents answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.shop.catalogue import catalogue, described
from recsynth.shop.questions import INTENTS, OTHER, OUT_OF_SCOPE, Intent
from recsynth.shop.sentences import mistyped
from recsynth.shop.settings import ShopSettings

TICKET_LINES = """ticket_id string, user_id string, file_day int, line string, defect string, intent string,
policy string, is_out_of_scope boolean, order_id string"""
NEW_DAYS = 21
"""The last days of the simulated time, on which new intents are asked for."""
_encoded = json.JSONEncoder(ensure_ascii=False).encode


def ticket_lines(lines: DataFrame, settings: ShopSettings, seed: int) -> DataFrame:
    """Every line of the ticket files with what was planted in it; `lines`: those of the event files, as they happened.

    Some customers ask after a purchase, about that order; rarely someone asks after a click. Each line has dice of
    its own, so that conversations change nothing of what people do, and are the same whatever the partitions. A
    ticket lands when it is asked and again when it is answered, at most two days later. Some answers close with the
    customer's order and a street, as letters do: what a shop must not repeat to others.
    """
    about = F.get_json_object("line", "$.event_type").isin("purchase", "click")
    good = lines.where(F.col("defect").isin("", "late") & about & ~F.col("user_id").startswith("B"))

    def talk(blocks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        items = described(catalogue(settings, seed), settings.language).set_index("item_id")
        columns = [name.split()[0] for name in TICKET_LINES.split(",")]
        for block in blocks:
            rows = [row for line in block["line"] for row in _ticket(json.loads(line), items, settings, seed)]
            yield pd.DataFrame(rows, columns=columns)

    return good.select("line").mapInPandas(talk, TICKET_LINES)


def _ticket(event: dict[str, Any], items: pd.DataFrame, settings: ShopSettings, seed: int) -> Iterator[tuple[Any, ...]]:
    """The lines of the ticket that an event leads to, most often none."""
    dice = Random(f"{seed}/ticket/{event['event_id']}")
    is_order = event["event_type"] == "purchase"
    rate = settings.tickets_per_purchase
    if dice.random() >= (rate if is_order else rate / 50):
        return
    asked = datetime.fromisoformat(event["ts"]) + timedelta(minutes=dice.randint(10, 3 * 24 * 60))
    day = (asked.date() - settings.start).days
    if day >= settings.days:
        return
    item_id = event.get("item_id") or event["sku"]
    item = items.loc[item_id]
    facts = {"order_id": event.get("order_id", ""), "date": event["ts"][:10], "item": item["noun"],
             **{name: item[name] for name in ("colour", "material", "size")}}  # fmt: skip
    intent = _intent(dice, settings, day, is_order)
    said = intent.questions if intent else OUT_OF_SCOPE[settings.language]
    question = dice.choice(said).format(**facts)
    question = mistyped(question, dice) if dice.random() < settings.typo_share else question
    ticket_id = f"T{event['event_id']}"
    sent: dict[str, Any] = {"ticket_id": ticket_id, "user_id": event["user_id"], "ts": asked.isoformat(),
                            "question": question, "item_id": item_id}  # fmt: skip
    sent |= {"order_id": facts["order_id"]} if is_order else {}
    planted = (intent.name if intent else None, intent.policy if intent else None, intent is None, facts["order_id"])
    yield ticket_id, event["user_id"], day, _encoded(sent), "", *planted
    if dice.random() < settings.dirt.broken:
        reason, change = dice.choice([("missing question", {"question": " "}), ("unparsable ts", {"ts": "later"})])
        yield ticket_id, event["user_id"], day, _encoded(sent | change), reason, *planted
    answered = asked + timedelta(minutes=dice.randint(20, 2 * 24 * 60))
    answer_day = (answered.date() - settings.start).days
    if answer_day < settings.days:
        # People say mug; the agents' software puts in the title.
        told = intent.answer.format(**(facts | {"item": item["title"]})) if intent and intent.answer else ""
        street = f"{dice.choice(('Mill Lane', 'High Street', 'Elm Road'))} {dice.randint(1, 400)}"
        # Some agents write a letter of their own instead of the text that all use.
        if told and dice.random() < settings.letter_share:
            told = f"{told} {facts['order_id']}, {street}"
        label = intent.name if intent and not intent.is_new else OTHER
        seen = {"intent": label} if dice.random() < settings.label_share else {}
        full = sent | {"answer": told or None, "answered_at": answered.isoformat()} | seen
        yield ticket_id, event["user_id"], answer_day, _encoded(full), "answered", *planted


def _intent(dice: Random, settings: ShopSettings, day: int, is_order: bool) -> Intent | None:
    """What is asked for; None: nothing that a shop can answer."""
    if dice.random() < settings.out_of_scope_share:
        return None
    known = [i for i in INTENTS[settings.language] if not i.is_new or day >= settings.days - NEW_DAYS]
    # Who has bought nothing asks about goods and conditions.
    return dice.choice([i for i in known if is_order or not any(slot in i.answer for slot in ("{order_id}", "{date}"))])
