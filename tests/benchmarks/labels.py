"""Reviews and questions that nobody wrote, beside people's: what the gate finds of them on real labelled sets.

    make bench-labels
    python -m tests.benchmarks.labels --data ../shared/data --sets banking77 --most 800 --seeds 0 1 2

clothing_reviews become reviews (a rating each), banking77 tickets (an intent each), fin_tweets_sentiment posts of one
topic. The stage `synthesise_texts` runs on them with its default settings. Nobody is known in these sets, so that each
text counts as one person's; a tenth of the texts, by hash, is learned from by nothing and judges. `--most` keeps fewer
texts to learn from, by hash: what written texts add where there are few.
"""

from __future__ import annotations

import argparse
import logging
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from recsynth.session import session
from recsynth.settings import Settings, SparkSettings
from recsynth.synthesis.synthesise_texts import synthesise_texts
from recsynth.tables import Table
from recsynth.tables.gold import CLICK_FARMS
from recsynth.tables.silver import POSTS, REVIEWS, TICKETS
from recsynth.tables.synthesis import SYNTHETIC_TEXTS
from tests.benchmarks.texts import parts
from tests.rows import night, table

AS_OF = datetime(2024, 5, 1, tzinfo=UTC)
DAY = datetime(2024, 4, 1, tzinfo=UTC)
SETS = {"clothing_reviews": "review", "banking77": "question", "fin_tweets_sentiment": "opinion"}
SHOWN = 6


def main() -> int:
    """Print a table a set and seed, and some of the texts that were kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="folder of the data sets")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS), help="which of them")
    parser.add_argument("--most", type=int, default=3000, help="texts learned from, at most")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="seeds of the night")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings of [synthesis.labelled]")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    spark = session("bench-labels", SparkSettings(master="local[2]", driver_memory="3g", shuffle_partitions=4))
    print(f"{platform.processor() or platform.machine()}; at most {options.most} texts learned from")
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.sets:
            for seed in options.seeds:
                _tell(spark, name, seed, options, Path(scratch) / f"{name}{seed}")
    return 0


def _tell(spark: SparkSession, name: str, seed: int, options: argparse.Namespace, lake: Path) -> None:
    changes = [f"synthesis.labelled.{change}" for change in options.set]
    plain = [f"seed={seed}", f"paths.lake={lake}", f"synthesis.labelled.max_texts={options.most}"]
    on = night(AS_OF.date(), Settings.load(Path("conf/tiny.toml"), [*_defaults(), *plain, *changes]))
    started = time.monotonic()
    made = synthesise_texts(**inputs(spark, name, options.data), night=on)
    report, texts = made["texts_report"].toPandas(), made["synthetic_texts"].toPandas()
    wide = report.pivot_table(index="metric", columns="generator", values="value", sort=False)
    ours = report[report["generator"] == "writer"].set_index("metric")[["reference", "threshold", "passed"]]
    print(f"\n{name}, seed {seed}: {len(texts)} texts kept of {texts['label'].nunique()} labels, "
          f"{'/'.join(sorted(set(texts['verdict'])))}, {time.monotonic() - started:.0f} s")  # fmt: skip
    print(wide.join(ours).to_string(float_format="%.3f"), flush=True)
    for row in texts.sample(min(SHOWN, len(texts)), random_state=0).itertuples():
        print(f"  {row.label} {row.sentiment or ''}: {row.text}")


def _defaults() -> list[str]:
    """What conf/tiny.toml has in a smaller size, as it is by default."""
    default = Settings().synthesis.labelled
    writer = [f"writer.{key}={value}" for key, value in default.writer.model_dump().items()]
    own = [f"{key}={getattr(default, key)}" for key in ("least_users", "min_each", "draws", "passes")]
    return [f"synthesis.labelled.{change}" for change in (*own, *writer)]


def inputs(spark: SparkSession, name: str, data: Path) -> dict[str, DataFrame]:
    """The stage's tables, one of them filled with all texts of a set that are here."""
    (texts, labels), (more, more_labels) = parts(name, data)
    rows = pd.DataFrame({"text": [*texts, *more], "label": [*labels, *more_labels]})
    if name == "clothing_reviews":
        read = pd.read_csv(data / name / "reviews_train.csv").dropna(subset="Review Text")
        rows = pd.DataFrame({"text": read["Review Text"], "label": read["Rating"]})
    told = list(rows.itertuples(index=False))

    def of(kind: str, into: Table, row: Any) -> DataFrame:
        return table(spark, into, [row(n, r) for n, r in enumerate(told)] if SETS[name] == kind else [])

    return {
        "reviews": of("review", REVIEWS, lambda n, r: {
            "event_id": str(n), "user_id": f"u{n}", "item_id": "i", "ts": DAY, "rating": float(r.label), "text": r.text
        }),
        "tickets": of("question", TICKETS, lambda n, r: {
            "source": "s", "ticket_id": str(n), "ts": DAY, "question": r.text, "intent": r.label, "copies": 1
        }),
        "posts": of("opinion", POSTS, lambda n, r: {
            "source": "s", "post_id": str(n), "ts": DAY, "text": r.text, "topic": "stocks", "sentiment": r.label,
            "copies": 1,
        }),
        "click_farms": table(spark, CLICK_FARMS, []),
        "synthetic_texts": table(spark, SYNTHETIC_TEXTS, []).selectExpr("*", "date'2024-01-01' AS run_date"),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
