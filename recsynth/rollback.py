"""Back to an earlier night: readers see it again, and its champion is the champion."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from pyspark.sql import Column
from pyspark.sql import functions as F

from recsynth.errors import InputError
from recsynth.ledger import Ledger
from recsynth.model.champion import champion
from recsynth.model.folder import check_folder
from recsynth.store import Store
from recsynth.tables import RUN_DATE, Table
from recsynth.tables.model import CLASSIFIERS, MODELS
from recsynth.tables.ops import PUBLISHED, STAGE_RUNS

log = logging.getLogger(__name__)


def roll_back(ledger: Ledger, to: date) -> list[date]:
    """Take back every night after a published one; returns those that readers no longer see.

    Writes ops.published (later dates leave it), model.models and model.classifiers (later champions are champions no
    more) and ops.stage_runs (later dates leave it: a run of such a date does all of it anew, from the champions of
    `to`). The tables of the later nights stay until then. Killed on the way, the same call again ends it. Raises
    InputError if the date is not published, ModelError if its champion's folder is not whole; nothing is changed then.
    """
    store = ledger.store
    nights = sorted(r.run_date for r in store.read(PUBLISHED).select(RUN_DATE).collect())  # one row a night
    if to not in nights:
        published = ", ".join(map(str, nights[-5:])) or "there is none"
        raise InputError(f"night {to}", f"a published one (the last: {published})", "none of that date")
    models = store.read(MODELS)
    best = champion(models.where(F.col(RUN_DATE) <= F.lit(to)))
    if best is not None:
        check_folder(Path(store.lake) / best.path)
    later = f"{RUN_DATE} > '{to}'"
    store.delete(PUBLISHED, later)
    uncrown(store, F.expr(later))
    store.delete(STAGE_RUNS, later)
    log.info("champion: %s", best.model_version if best is not None else "none")
    return [night for night in nights if night > to]


def uncrown(store: Store, which: Column, tables: Sequence[Table] = (MODELS, CLASSIFIERS)) -> None:
    """Make the champions that satisfy a condition over run_date and the table's columns champions no more."""
    for table in tables:
        crowned = store.read(table).where(which).where("is_champion")
        for row in crowned.select(RUN_DATE).distinct().collect():  # one row a night
            night = store.read(table).where(F.col(RUN_DATE) == F.lit(row.run_date))
            rows = night.withColumn("is_champion", F.col("is_champion") & ~which)
            store.write(table, rows.drop(RUN_DATE), row.run_date)
