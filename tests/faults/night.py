"""A night as a process of its own, with a fault in it; and what a lake holds, to set two of them side by side."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

from pyspark.sql import functions as F

from recsynth.store import ABSENT, Store
from recsynth.tables import TABLES

ROOT = Path(__file__).parents[2]
# About the run, not about the night: when it was and how many versions it took.
OF_THE_RUN = {
    "bronze.landed_files": ["landed_at"],
    "bronze.column_changes": ["landed_at"],
    "silver.quarantine": ["first_seen"],
    "ops.published": ["run_id", "versions", "published_at"],
}
EVERYWHERE = ["data_versions", "source_version"]
NOT_OF_THE_NIGHT = ("ops.runs", "ops.stage_runs")
# Seconds that training took.
TIMED = "metric NOT LIKE '%seconds%'"


def command(config: str, as_of: date, changes: Sequence[str], master: str = "local[2,4]") -> list[str]:
    """The nightly job of a configuration; a task may fail three times, as on a cluster."""
    words = [sys.executable, "jobs/nightly.py", "--config", config, "--as-of", str(as_of)]
    return words + [word for change in (f"spark.master={master}", *changes) for word in ("--set", change)]


@contextmanager
def job(words: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A job in a process group of its own, with what it says in a file; none of it is left afterwards."""
    given = os.environ | {"PYSPARK_PYTHON": sys.executable} | environment
    with (
        log.open("ab") as said,
        subprocess.Popen(words, cwd=ROOT, env=given, stderr=said, stdout=said, start_new_session=True) as process,
    ):
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def ended(words: list[str], log: Path, seconds: float = 3600, **environment: str) -> int:
    """Run a job to its end; returns its exit code, the negative signal where one ended it."""
    with job(words, log, **environment) as process:
        return process.wait(seconds)


@contextmanager
def points_passed() -> Iterator[list[str]]:
    """The fault points that this process comes by, each once, in the order of the first time."""
    passed: list[str] = []

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() not in passed:
                passed.append(record.getMessage())

    heard, logger = Heard(), logging.getLogger("recsynth.faults")
    level, logger.propagate = logger.level, False
    logger.setLevel(logging.DEBUG)
    logger.addHandler(heard)
    try:
        yield passed
    finally:
        logger.removeHandler(heard)
        logger.setLevel(level)
        logger.propagate = True


def content(store: Store) -> dict[str, tuple[int, int]]:
    """Each table that there is to its rows and the sum of their hashes, in whatever order they lie."""
    return {
        name: _hashed(store, name)
        for name, table in TABLES.items()
        if name not in NOT_OF_THE_NIGHT and store.version(table) != ABSENT
    }


def _hashed(store: Store, name: str) -> tuple[int, int]:
    rows = store.read(TABLES[name])
    if name == "ops.metrics":
        rows = rows.where(TIMED)
    rows = rows.drop(*EVERYWHERE, *OF_THE_RUN.get(name, []))
    # Maps have no order, and what xxhash64 cannot take it takes as text.
    line = F.xxhash64(F.to_json(F.struct(*sorted(rows.columns)))).cast("decimal(38,0)")
    found = rows.agg(F.count("*"), F.coalesce(F.sum(line), F.lit(0))).first()
    assert found is not None
    return int(found[0]), int(found[1])
