"""Answer templates: what agents keep writing, with the customer's own facts taken out, and filled for another one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.apps.catalogue import latest_items, renamed
from recsynth.stage import Night

SLOT = re.compile(r"\{(\w+)\}")
ORDER, DATE, ITEM = "order_id", "date", "item"


def delexicalised(answer: str, facts: Mapping[str, str]) -> str:
    """An answer with each fact of the customer's replaced by its name in braces, the longest first; whole words alone.

    >>> delexicalised("Your red mug of order O7 is red.", {"order_id": "O7", "item": "red mug", "colour": "red"})
    'Your {item} of order {order_id} is {colour}.'
    """
    # Braces of the agent's own would be taken for slots.
    answer = answer.replace("{", "(").replace("}", ")")
    named = sorted(((v, k) for k, v in facts.items() if v), key=lambda pair: (-len(pair[0]), pair))
    if not named:
        return answer
    # Letters of languages without spaces touch one another: there a word has no edge to look for.
    edges = [(rf"(?<!\w){re.escape(v)}(?!\w)" if v.isascii() else re.escape(v)) for v, _ in named]
    names = [k for _, k in named]
    pattern = re.compile("|".join(f"({edge})" for edge in edges))
    return pattern.sub(lambda found: "{" + names[(found.lastindex or 1) - 1] + "}", answer)


def filled(template: str, facts: Mapping[str, str]) -> str | None:
    """A template with the customer's own facts; None where one is missing.

    >>> filled("Order {order_id} is on its way.", {"order_id": "O8"})
    'Order O8 is on its way.'
    >>> filled("It is made of {material}.", {}) is None
    True
    """
    if not all(facts.get(slot) for slot in SLOT.findall(template)):
        return None
    return SLOT.sub(lambda found: facts[found.group(1)], template)


def with_facts(tickets: DataFrame, events: DataFrame, items: DataFrame, night: Night) -> DataFrame:
    """Tickets with `facts` (name to value): what the record holds of the asker's own order and the item asked about.

    The order is the one that the ticket names, if the asker placed it; without one, the asker's last before the
    question, of the item asked about if there is one. Names: order_id, date (day of the order in the shop's time
    zone), item (its title) and its attributes'. Also `about`, `item_title` and `item_text`: the item, its title and
    description.
    """
    bought = events.where("event_type = 'purchase' and not is_bot and not is_near_duplicate").select(
        F.col("user_id").alias("buyer"), F.col("order_id").alias("bought_order"), F.col("item_id").alias("bought_item"),
        F.col("ts").alias("bought_at"), "event_id",
    )  # fmt: skip
    key = ["source", "ticket_id"]
    is_own = (
        (F.col("buyer") == F.col("user_id"))
        & (F.col("bought_at") <= F.col("ts"))
        & (F.col("order_id").isNull() | (F.col("order_id") == F.col("bought_order")))
        & (F.col("item_id").isNull() | (F.col("item_id") == F.col("bought_item")))
    )
    order = F.struct("bought_at", "event_id")
    last = tickets.join(bought, on=is_own, how="inner").groupBy(*key).agg(
        *(F.max_by(c, order).alias(c) for c in ("bought_order", "bought_item", "bought_at"))
    )  # fmt: skip
    about = tickets.join(last, on=key, how="left").withColumn("about", F.coalesce("item_id", "bought_item"))
    known = latest_items(items, "title", "description", "attributes").withColumnsRenamed(
        {"item_id": "about", "title": "item_title", "description": "item_text", "attributes": "item_attributes"}
    )
    day = F.date_format(F.from_utc_timestamp("bought_at", night.settings.shop_time_zone), "yyyy-MM-dd")
    own = F.create_map(F.lit(ORDER), "bought_order", F.lit(DATE), day, F.lit(ITEM), F.col("item_title"))
    words = renamed("item_attributes", lambda k: F.lower(F.regexp_replace(k, r"[^\p{L}\p{N}]+", "_")))
    # An attribute called as one of ours would be a second value under the same name.
    free = F.map_filter(words, lambda k, _: ~k.isin(ORDER, DATE, ITEM))
    facts = F.map_filter(F.map_concat(own, free), lambda _, v: v.isNotNull())
    return about.join(known, on="about", how="left").withColumn("facts", facts)


def answer_templates(answered: DataFrame, least_customers: int, most: int) -> DataFrame:
    """Rows (intent, template, customers): for each intent the `most` answers that the most customers got.

    answered: intent, user_id, answer, facts. A template that fewer than `least_customers` customers got is left out:
    what one letter says of its reader, a street or a name, is in no other.
    """
    known = answered.select("intent", "user_id", "answer", "facts").dropna(subset=["intent", "user_id", "answer"])
    plain = known.mapInPandas(_without_facts, "intent string, user_id string, template string")
    counted = plain.groupBy("intent", "template").agg(F.count_distinct("user_id").alias("customers"))
    first = Window.partitionBy("intent").orderBy(F.desc("customers"), "template")
    best = counted.where(F.col("customers") >= least_customers).withColumn("n", F.row_number().over(first))
    return best.where(F.col("n") <= most).drop("n")


def _without_facts(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for batch in batches:
        pairs = zip(batch["answer"], batch["facts"], strict=True)
        template = [delexicalised(answer, dict(facts)) for answer, facts in pairs]
        yield batch[["intent", "user_id"]].assign(template=template)


def best_fit(templates: Sequence[str], facts: Mapping[str, str]) -> str | None:
    """The first template that these facts fill; None where none does."""
    return next((text for template in templates if (text := filled(template, facts)) is not None), None)
