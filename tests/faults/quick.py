"""The quick lane's night: the first stages on two files, here or as a process (`python -m tests.faults.quick`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from recsynth.faults import fault_point
from recsynth.gold.histories import histories
from recsynth.nightly import run_night
from recsynth.pipeline import STAGES
from recsynth.session import session
from recsynth.settings import Settings
from recsynth.stage import Frames, Night
from recsynth.store import Store
from recsynth.tables import TABLES
from recsynth.tables.gold import WINDOW_HISTORIES
from tests.sources import INVOICES, settings, write_csv
from tests.spark import SHORT_LIVED, small

AS_OF = date(2024, 4, 1)
HEADER = "user,item,at,price,title\n"
FILES = {
    "2024-03-01.csv": "u,i,2024-03-01T12:00:00,2.5,A BLUE MUG\nu,j,2024-03-02T12:00:00,3.5,A RED MUG\n,x,never,1,\n",
    "2024-03-05.csv": "v,i,2024-03-05T12:00:00,2.5,A BLUE MUG\nw,j,2024-04-02T12:00:00,3.5,A RED MUG\n",
}


def through_python(events: DataFrame, night: Night) -> Frames:
    """The stage `histories`, a table of which comes by way of a Python worker, where a fault may wait."""

    def passed_on(blocks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for block in blocks:
            fault_point("udf.candidates")
            yield block

    made = dict(histories(events=events, night=night))
    made["window_histories"] = made["window_histories"].mapInPandas(passed_on, WINDOW_HISTORIES.schema)
    return made


_BY_NAME = {stage.name: stage for stage in STAGES}
QUICK = (
    *(_BY_NAME[name] for name in ("land", "clean", "account")),
    replace(_BY_NAME["histories"], function=through_python),
)


class Lake:
    """A lake on which the first stages of the night run."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        for name, text in FILES.items():
            write_csv(folder, name, HEADER + text)
        self.spark, self.settings = spark, made_settings(folder)
        self.store = Store(spark, self.settings.paths.lake)

    def run(self) -> None:
        """Run the date on this process's session."""
        run_night(self.spark, self.settings, AS_OF, stages=QUICK)

    def folder(self, name: str) -> Path:
        """Where a table lies."""
        return Path(self.store.path(TABLES[name]))


def made_settings(folder: Path) -> Settings:
    """One source of two files, one window."""
    return settings(folder, INVOICES, gold={"windows": {"count": 1, "days": 7}})


if __name__ == "__main__":
    chosen = small("local[2,4]", "1g", SHORT_LIVED)
    run_night(session("quick", chosen), made_settings(Path(sys.argv[1])), AS_OF, stages=QUICK)
