"""What thirty rules on rows cost: python -m tests.benchmarks.checks.

A made table of events (the columns of silver.events) is read and written whole, then judged by thirty rules on rows in
one pass, in turns, three times each in one session; the ratio of the medians of seconds is printed beside the greatest
that is allowed. Exit code 0 only where the pass takes at most 15 % of reading and writing, and every rule counts
exactly the rows that were planted for it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from recsynth.checks.passes import find
from recsynth.checks.settings import RuleSettings
from recsynth.session import session
from recsynth.settings import SparkSettings
from recsynth.store import Store
from recsynth.tables.silver import EVENTS
from tests.rows import night

AS_OF, FLOOR, RULES, ROUNDS = date(2024, 5, 1), 0.15, 30, 3


def made(spark: SparkSession, rows: int) -> DataFrame:
    """Events; each thousandth has an absurd quantity, each five-hundredth an absurd price."""
    n = F.col("id")
    columns = {
        "event_id": F.concat(F.lit("e"), n), "user_id": F.concat(F.lit("u"), n % 50_000),
        "item_id": F.concat(F.lit("i"), F.xxhash64("id") % 3_000), "event_type": F.lit("view"),
        "ts": F.timestamp_seconds(F.lit(1_714_000_000) + n % 500_000), "event_date": F.lit(date(2024, 4, 30)),
        "quantity": F.when(n % 1000 == 0, 9_999).otherwise(n % 9 + 1),
        "price": F.when(n % 500 == 0, 9_999).otherwise(n % 90),
        "currency": F.lit("EUR"), "rating": (n % 5 + 1), "session_id": F.concat(F.lit("s"), n % 90_000),
        "country": F.lit("DE"), "source": F.lit("made"), "is_bot": F.lit(False), "is_near_duplicate": F.lit(False),
        "copies": F.lit(1),
    }  # fmt: skip
    types = {c.name: c.type for c in EVENTS.columns}
    return spark.range(rows).select(
        *(columns.get(name, F.lit(None)).cast(types[name]).alias(name) for name in EVENTS.column_names)
    )


def rules() -> list[RuleSettings]:
    """Thirty on rows, no two alike, because Spark works equal ones out once."""

    def kinds(n: int) -> list[dict[str, object]]:
        return [
            {"kind": "range", "columns": ["quantity"], "min": 1, "max": 1_000 + n},
            {"kind": "range", "columns": ["price"], "min": 0, "max": 5_000 + n},
            {"kind": "not_null", "columns": ["user_id", ("item_id", "event_id", "session_id", "source", "ts")[n // 6]]},
            {"kind": "set", "columns": ["currency"], "values": ["EUR", "GBP", f"X{n:02d}"]},
            {"kind": "pattern", "columns": ["country"], "pattern": f"^[A-Z]{{2}}$|^{n}$"},
            {"kind": "condition", "condition": f"event_type <> 'search' or query is not null or copies > {n}"},
        ]

    return [
        RuleSettings.model_validate({"name": f"r{n}", "table": EVENTS.name, **kinds(n)[n % 6]}) for n in range(RULES)
    ]


def seconds(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=3_000_000)
    rows = parser.parse_args().rows
    spark = session("bench checks", SparkSettings())
    with tempfile.TemporaryDirectory() as folder:
        store = Store(spark, folder)
        store.write(EVENTS, made(spark, rows), AS_OF)
        events = store.read(EVENTS)
        copying, judging, found = [], [], {}
        for turn in range(ROUNDS):
            out = str(Path(folder) / f"copy{turn}")
            copying.append(seconds(lambda out=out: events.write.format("delta").save(out)))  # type: ignore[misc]
            judging.append(seconds(lambda: found.update(find(rules(), {EVENTS.name: events}, {}, night(AS_OF)))))
    ratio = statistics.median(judging) / statistics.median(copying)
    expected = {0: rows // 1000 + (rows % 1000 > 0), 1: rows // 500 + (rows % 500 > 0)}
    is_exact = all(found[f"r{n}"].broken == expected.get(n % 6, 0) for n in range(RULES))
    print(f"{rows:,} rows, {RULES} rules on rows, {ROUNDS} rounds")
    print(f"reading and writing: {', '.join(f'{s:.1f}' for s in copying)} s")
    print(f"one pass of rules:   {', '.join(f'{s:.1f}' for s in judging)} s")
    print(f"ratio of medians {ratio:.3f} (at most {FLOOR}), counts {'exact' if is_exact else 'WRONG'}")
    return 0 if ratio <= FLOOR and is_exact else 1


if __name__ == "__main__":
    sys.exit(main())
