"""Tickets and policies: what customers asked, what agents answered, and what the shop tells everybody."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.mapping import text
from recsynth.silver.masking import masked
from recsynth.silver.rules import common_rules, first_broken, is_outside, utc, with_every
from recsynth.silver.states import folded, latest_states
from recsynth.source import SourceSettings
from recsynth.stage import Night
from recsynth.tables.silver import POLICIES, TICKETS

TEXTS = ("ticket_id", "user_id", "question", "answer", "intent", "order_id", "item_id")


def ticket_rows(rows: DataFrame, source: SourceSettings, night: Night) -> DataFrame:
    """Rows of a source of tickets, typed, with `reason`, null where the row is good."""
    rows = with_every(rows, ("ts", "answered_at", *TEXTS))
    times = {name: utc(source, name) for name in ("ts", "answered_at")}
    rows = rows.withColumns(times | {name: text(name) for name in TEXTS})
    silver = night.settings.silver
    if silver.mask_texts:
        # Answers stay: they hold the shop's own numbers, and models read them as templates of several customers alone.
        rows = rows.withColumn("question", masked(F.col("question")))
    rules = [
        *common_rules(),
        (F.col("ticket_id").isNull(), F.lit("missing ticket_id")),
        (text("ts").isNull(), F.lit("missing ts")),
        (F.col("ts").isNull(), F.lit("unparsable ts")),
        (is_outside(silver.earliest, silver.latest), F.lit("ts out of range")),
        (text("answered_at").isNotNull() & F.col("answered_at").isNull(), F.lit("unparsable answered_at")),
        (F.col("answered_at") < F.col("ts"), F.lit("answered before it was asked")),
        (F.col("question").isNull(), F.lit("missing question")),
    ]
    return rows.withColumn("reason", first_broken(rules))


def merged_tickets(fresh: DataFrame, tickets: DataFrame) -> DataFrame:
    """Good rows and what silver has of the same tickets as one row each: the latest answer, then one with an intent."""
    order = (F.col("answer").isNotNull(), F.col("answered_at"), F.col("intent").isNotNull())
    return latest_states(fresh, tickets, TICKETS, order)


def policy_rows(rows: DataFrame, source: SourceSettings, night: Night) -> DataFrame:
    """Rows of a source of policies, typed, with `reason`, null where the row is good."""
    rows = with_every(rows, ("policy_id", "seen_date", "title", "text"))
    # A policy without a day is dated by the run that landed it, as a record of the catalogue is.
    day = text("seen_date").try_cast("date") if "seen_date" in source.columns else F.lit(night.started_at.date())
    rows = rows.withColumns({"seen_date": day, **{n: text(n) for n in ("policy_id", "title", "text")}})
    rules = [
        *common_rules(),
        (F.col("policy_id").isNull(), F.lit("missing policy_id")),
        (F.col("seen_date").isNull(), F.lit("unparsable seen_date")),
        (F.col("text").isNull(), F.lit("missing text")),
    ]
    return rows.withColumn("reason", first_broken(rules))


def merged_policies(fresh: DataFrame, policies: DataFrame) -> DataFrame:
    """Good rows folded to one per (source, policy, content, day), with the copies that silver already counts."""
    content = F.sha2(F.concat_ws("\n", F.coalesce("title", F.lit("")), "text"), 256)
    return folded(fresh.withColumn("text_hash", content), policies, POLICIES)
