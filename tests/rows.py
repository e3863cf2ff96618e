"""Small tables for tests: only what a test says, the rest filled with the plainest valid value."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from recsynth.settings import Settings
from recsynth.stage import Night
from recsynth.tables.silver import EVENTS, ITEM_RECORDS
from recsynth.tables.table import Table


def table(spark: SparkSession, declared: Table, rows: Sequence[dict[str, Any]]) -> DataFrame:
    """Rows of a declared table; columns that a row leaves out are null."""
    if not rows:
        return declared.empty(spark)
    return spark.createDataFrame([tuple(r.get(c) for c in declared.column_names) for r in rows], declared.schema)


def events(spark: SparkSession, rows: Sequence[tuple[Any, ...]], **same: Any) -> DataFrame:
    """silver.events of (user_id, item_id, event_type, ts[, quantity[, query]]); each is an order of its own."""
    return table(
        spark,
        EVENTS,
        [
            {
                "event_id": f"e{i:04d}",
                "user_id": r[0],
                "item_id": r[1],
                "event_type": r[2],
                "ts": r[3],
                "event_date": r[3].date(),
                "quantity": r[4] if len(r) > 4 else 1,
                "query": r[5] if len(r) > 5 else None,
                "price": Decimal("1.5"),
                "currency": "GBP",
                "session_id": f"{r[0]}/{r[3].date()}",
                "order_id": f"o{i}",
                "source": "test",
                "is_bot": False,
                "is_near_duplicate": False,
                "copies": 1,
                **same,
            }
            for i, r in enumerate(rows)
        ],
    )


def item_record(item_id: str, seen_date: date, copies: int = 1, **fields: Any) -> dict[str, Any]:
    """A row of silver.item_records; the same fields are the same content, however often they were seen."""
    return {
        "source": "test",
        "item_id": item_id,
        "record_hash": str(sorted(fields.items())),
        "seen_date": seen_date,
        "copies": copies,
        **fields,
    }


def item_records(spark: SparkSession, rows: Sequence[dict[str, Any]]) -> DataFrame:
    """silver.item_records."""
    return table(spark, ITEM_RECORDS, rows)


def night(as_of: date, settings: Settings | None = None, run_id: str = "test") -> Night:
    """A night with default settings."""
    return Night(run_id, as_of, datetime(2030, 1, 1, tzinfo=UTC), settings or Settings())
