"""The stage that makes tables of a shop that does not exist: users, their events, items; each with its verdict."""

from __future__ import annotations

import logging

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.stage import Frames, Night
from recsynth.synthesis.generator import GAN
from recsynth.synthesis.table_gate import Row
from recsynth.synthesis.table_items import synthetic_items
from recsynth.synthesis.table_people import synthetic_people
from recsynth.tables.synthesis import SYNTHETIC_EVENTS, SYNTHETIC_ITEMS, SYNTHETIC_USERS, TABLES_REPORT

log = logging.getLogger(__name__)


def synthesise_tables(
    events: DataFrame, items: DataFrame, interactions: DataFrame, query_items: DataFrame,
    synthetic_histories: DataFrame, night: Night,
) -> Frames:  # fmt: skip
    """Give the people of synthetic_histories a life that agrees, draw items, and judge both.

    Reads silver.events, silver.items, gold.interactions, gold.query_items and synthesis.synthetic_histories; writes
    synthesis.synthetic_users, synthetic_events, synthetic_items and tables_report, and the generators below _models.
    A row depends on the seed, the as-of date and its user's or item's id alone. Nothing of it is trained on.
    Bounds on the driver: tables.max_rows rows of each table, gate.max_rows of each side; in a worker a block of users.
    """
    spark, settings = events.sparkSession, night.settings.synthesis
    made = (SYNTHETIC_USERS, SYNTHETIC_EVENTS, SYNTHETIC_ITEMS, TABLES_REPORT)
    out = {t.short: t.empty(spark) for t in made}
    if not (settings.enabled and settings.tables.enabled):
        return out
    report: list[Row] = []
    catalogue = synthetic_items(items, night)
    if catalogue is not None:
        out["synthetic_items"], of_items = catalogue
        report += of_items
    histories = synthetic_histories.where(F.col("generator") == GAN)
    if not histories.isEmpty():
        people, of_people = synthetic_people(events, items, interactions, query_items, histories, night)
        out |= people
        report += of_people
    missed = [f"{row[0]} {row[2]} {row[4]} for {row[6]}" for row in report if row[1] == GAN and row[7] is False]
    log.info("synthetic tables: %s", "; ".join(missed) or "all that is asked holds")
    return {**out, "tables_report": spark.createDataFrame(report, TABLES_REPORT.schema)}
