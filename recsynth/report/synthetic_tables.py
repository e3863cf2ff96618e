"""The page's section on synthetic tables: verdicts, figures beside those of real rows, and when and what is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from recsynth.report import plots
from recsynth.report.synthesis import GAN, REAL, rows_of

TABLES = {"users": "Users", "visits": "Visits", "paths": "Events in their order", "items": "Items"}
GENERATORS = (GAN, "gaussian", "independent")
SHOWN = 8


def synthetic_tables(tables: Mapping[str, DataFrame], time_zone: str) -> dict[str, Any] | None:
    """What was drawn and its verdict, figures by table, two pictures, some items; None where nothing was judged."""
    report = tables["tables_report"].toPandas()  # bound: a row a table, generator and metric
    if report.empty:
        return None
    parts = [
        {
            "name": title, "rows": rows_of(report[report["table"] == name], GAN),
            "generators": [g for g in GENERATORS if g in set(report.loc[report["table"] == name, "generator"])],
        }
        for name, title in TABLES.items() if (report["table"] == name).any()
    ]  # fmt: skip
    counted = [_counted(name, tables[f"synthetic_{name}"]) for name in ("users", "events", "items")]
    drawn = tables["synthetic_events"]
    items = tables["synthetic_items"].orderBy("item_id").limit(SHOWN)
    missed = report[(report["generator"] == GAN) & report["passed"].isin([False])]
    return {
        "counted": [c for c in counted if c["rows"]], "parts": parts, "reasons": report["reason"].dropna().tolist(),
        "missed": [f"{r.table} {r.metric}" for r in missed.itertuples()],
        "pictures": {} if drawn.isEmpty() else _pictures(tables["events"], drawn, time_zone),
        "records": [r.asDict() for r in items.select("category", "brand", "price", "currency", "attributes").collect()],
    }  # fmt: skip


def _counted(name: str, rows: DataFrame) -> dict[str, Any]:
    found = rows.agg(F.count("*").alias("rows"), F.max("verdict").alias("verdict")).collect()[0]
    return {"name": name, "rows": found.rows, "verdict": found.verdict}


def _pictures(events: DataFrame, drawn: DataFrame, time_zone: str) -> dict[str, Markup]:
    """Shares of events by hour of the day and by type, of synthetic people and of real ones."""
    types = [r.event_type for r in drawn.select("event_type").distinct().collect()]  # bound: types of events
    real = events.where(~F.col("is_bot") & F.col("event_type").isin(types))
    sides = {"synthetic": drawn, REAL: real}
    hour = F.hour(F.from_utc_timestamp("ts", time_zone))
    hours = pd.DataFrame(
        {"hour": range(24), **{n: _shares(rows, hour).reindex(range(24)) for n, rows in sides.items()}}
    )
    by_type = pd.DataFrame({n: _shares(rows, F.col("event_type")) for n, rows in sides.items()}).fillna(0)
    shares = {n: by_type[n].tolist() for n in sides}
    return {
        "When they come": Markup(plots.lines(hours.fillna(0), "hour", "share of events")),
        "What they do": Markup(plots.paired(by_type.index.tolist(), shares)),
    }


def _shares(rows: DataFrame, by: Column) -> pd.Series:
    counts = rows.groupBy(by.alias("by")).count().toPandas().set_index("by")["count"]  # bound: 24, or types of events
    shares: pd.Series = counts.sort_index() / counts.sum()
    return shares
