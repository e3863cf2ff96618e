"""What the lake keeps: older nights lose what they were made of, old versions and small files leave the disk."""

from __future__ import annotations

import logging
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from multiprocessing.pool import ThreadPool
from pathlib import Path

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.faults import fault_point
from recsynth.ledger import Ledger
from recsynth.rollback import uncrown
from recsynth.settings import RetentionSettings
from recsynth.stage import Stage
from recsynth.store import Store
from recsynth.tables import RUN_DATE, TABLES, Table
from recsynth.tables.model import CLASSIFIERS, ITEM_EMBEDDINGS, MODELS, TEXT_LABELS
from recsynth.tables.ops import PUBLISHED, RUNS, STAGE_RUNS
from recsynth.tables.synthesis import (
    SYNTHETIC_HISTORIES,
    SYNTHETIC_ITEMS,
    SYNTHETIC_TEXTS,
    SYNTHETIC_USERS,
    WRITTEN_TEXTS,
)

log = logging.getLogger(__name__)

RUN_PREFIX = "tidy-"
# Rows of these are of a model: they are of no use without its folder.
OF_A_MODEL = (ITEM_EMBEDDINGS, TEXT_LABELS)
# Small jobs that wait for the disk and for one another's planning.
SIDE_BY_SIDE = 4


@dataclass
class Tidied:
    """What was removed."""

    cut: date | None
    nights: dict[str, int] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    expired: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        nights, expired = _listed(self.nights), _listed(self.expired)
        whole = self.cut or "the first night"
        return (
            f"kept whole from: {whole}\nnights removed: {nights}\nmodels removed: {len(self.models)}\n"
            f"rows past their days removed: {expired}"
        )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "none"


def is_due(ledger: Ledger, settings: RetentionSettings) -> bool:
    """Whether `every` nights or more were published since the lake was last tidied."""
    if not settings.every:
        return False
    store = ledger.store
    last = store.read(RUNS).where(F.col("run_id").startswith(RUN_PREFIX)).agg(F.max("started_at")).first()
    nights = store.read(PUBLISHED)
    since = last[0] if last is not None else None
    fresh = nights if since is None else nights.where(F.col("published_at") > F.lit(since))
    return fresh.count() >= settings.every


def tidy(ledger: Ledger, settings: RetentionSettings, stages: Sequence[Stage]) -> Tidied:
    """Remove what the settings no longer keep, compact small files, and remove versions that nobody may read any more.

    The lake is held, and no night is under way: a night is told the versions that it begins with. Killed anywhere, the
    next call ends it; that a stage is done is forgotten before its rows are, so that no run takes them for there.
    """
    store = ledger.store
    published = store.read(PUBLISHED).select(RUN_DATE).collect()  # a row a night
    dates = sorted((r.run_date for r in published), reverse=True)
    cuts = _cuts(dates, settings)
    tidied = Tidied(_cut(dates, settings.nights))
    _forget_runs(store, stages, tidied.cut, cuts)
    fault_point("tidy.forgotten")
    if tidied.cut is not None:
        tidied.models = _drop_models(store, tidied.cut)
        _drop_curves(store, tidied.cut)
    fault_point("tidy.models")
    tidied.nights = {name: _drop_nights(store, TABLES[name], cut) for name, cut in cuts.items()}
    fault_point("tidy.nights")
    tidied.nights = {name: count for name, count in tidied.nights.items() if count}
    by_version = _told_by_version(stages)
    with ThreadPool(SIDE_BY_SIDE) as pool:
        pool.map(lambda t: store.tidy(t, settings.history_days, compact=t.name not in by_version), TABLES.values())
    return tidied


def _cut(dates: Sequence[date], nights: int) -> date | None:
    """The oldest of the newest `nights` dates, None where no older one is published or all are kept (0)."""
    return dates[nights - 1] if 0 < nights < len(dates) else None


def _cuts(dates: Sequence[date], settings: RetentionSettings) -> dict[str, date]:
    """Table to the date before which its nights go; without those of which all stay."""
    nights = {name: settings.tables.get(name, settings.nights if _is_working(table) else 0)
              for name, table in TABLES.items() if table.nightly}  # fmt: skip
    found = {name: _cut(dates, kept) for name, kept in nights.items()}
    return {name: cut for name, cut in found.items() if cut is not None}


def _is_working(table: Table) -> bool:
    """Whether a nightly table is what a night is made of, not what its readers or later champions need of it."""
    return table not in (MODELS, CLASSIFIERS) and table.layer not in ("output", "ops")


def _forget_runs(store: Store, stages: Sequence[Stage], cut: date | None, cuts: Mapping[str, date]) -> None:
    """Forget that stages are done for dates of which a part of what they wrote goes: before their own tables' latest
    cut, and before `cut` for whatever they wrote of a night, as the model that its night went on with goes, too."""
    stages_of: defaultdict[date, list[str]] = defaultdict(list)
    for stage in stages:
        of_a_night = any(TABLES[name].nightly or TABLES[name] in OF_A_MODEL for name in stage.writes)
        ends = [cuts[name] for name in stage.writes if name in cuts] + ([cut] if cut is not None and of_a_night else [])
        if ends:
            stages_of[max(ends)].append(f"'{stage.name}'")
    for end, names in stages_of.items():
        store.delete(STAGE_RUNS, f"{RUN_DATE} < '{end}' AND stage IN ({', '.join(names)})")


def _told_by_version(stages: Sequence[Stage]) -> set[str]:
    """Tables whose Delta version tells a stage that there is something new: compacting them would tell it so, too."""
    read = {name for stage in stages for name in stage.reads}
    return {name for name in read if not TABLES[name].nightly and TABLES[name].time is None}


def _drop_nights(store: Store, table: Table, cut: date) -> int:
    """Delete the nights of a table before `cut`; returns how many there were."""
    older = store.read(table).where(F.col(RUN_DATE) < F.lit(cut)).agg(F.count_distinct(RUN_DATE)).first()
    count = int(older[0]) if older is not None else 0
    if count:
        store.delete(table, f"{RUN_DATE} < '{cut}'")
    return count


def _drop_models(store: Store, cut: date) -> list[str]:
    """Remove the folders and rows of models that no kept night used or made; returns the folders' names."""
    kept = _kept_versions(store, cut)
    folders = Path(store.lake) / "_models"
    # `<date>.part` is a training that was killed: a run of its date goes on from there.
    begun = {f.name for f in folders.glob("*.part") if f.name >= str(cut)}
    gone = sorted(f.name for f in folders.glob("*") if f.is_dir() and f.name not in kept | begun)
    if not gone:
        return []
    uncrown(store, F.col("model_version").isin(gone))
    named = store.spark.createDataFrame([(version,) for version in gone], "model_version string")
    for table in OF_A_MODEL:
        if not store.read(table).join(named, on="model_version", how="left_semi").isEmpty():
            store.delete_matching(table, named, ("model_version",))
    for version in gone:
        shutil.rmtree(folders / version)
    return gone


def _drop_curves(store: Store, cut: date) -> None:
    """Remove TensorBoard's curves of nights before `cut`; what MLflow and Weights & Biases keep is theirs to tidy."""
    for folder in (Path(store.lake) / "_experiments" / "tensorboard").glob("*"):
        if folder.name < str(cut):
            shutil.rmtree(folder)


def _kept_versions(store: Store, cut: date) -> set[str]:
    """Models that a night from `cut` on made, used or may fall back to; bound: a few a kept night."""
    is_kept = F.col(RUN_DATE) >= F.lit(cut)
    found: list[DataFrame] = []
    for table, task in ((MODELS, F.lit("")), (CLASSIFIERS, F.col("task"))):
        rows = store.read(table)
        # The champion that the oldest kept night began with.
        newest = F.row_number().over(Window.partitionBy(task).orderBy(F.desc(RUN_DATE), "model_version")) == 1
        crowned = rows.where(~is_kept & F.col("is_champion")).withColumn("is_newest", newest).where("is_newest")
        found += [rows.where(is_kept).select("model_version"), crowned.select("model_version")]
    for table in (SYNTHETIC_HISTORIES, SYNTHETIC_USERS, SYNTHETIC_ITEMS, SYNTHETIC_TEXTS, WRITTEN_TEXTS):
        found.append(store.read(table).where(is_kept).select("model_version"))
    return {r.model_version for part in found for r in part.distinct().collect()}
