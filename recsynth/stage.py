"""What a stage is and what it is told about the night."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from pyspark.sql import DataFrame

from recsynth.seeds import sub_seed
from recsynth.settings import Settings

Frames = Mapping[str, DataFrame]


@dataclass(frozen=True)
class Night:
    """One night: its as-of date, settings, seed and scratch folder.

    `work` is a folder that every executor sees (below the lake); what a stage leaves there may be
    deleted after the run. `models` holds the model folders that outlive it.
    """

    run_id: str
    as_of: date
    started_at: datetime
    settings: Settings
    data_versions: Mapping[str, int] = field(default_factory=dict)

    @property
    def cutoff(self) -> datetime:
        """The as-of date's 00:00 in the shop's time zone, in UTC: nothing at or after it is seen."""
        return self.cutoff_before(0)

    def cutoff_before(self, days: int) -> datetime:
        """Shop-local midnight `days` days before the as-of date, in UTC."""
        zone = ZoneInfo(self.settings.shop_time_zone)
        return datetime.combine(self.as_of - timedelta(days=days), time(), zone).astimezone(UTC)

    @property
    def window_cutoffs(self) -> list[datetime]:
        """Earlier cut-offs that the ranker learns from, newest first; each one's labels end before the as-of date."""
        windows = self.settings.gold.windows
        return [self.cutoff_before(windows.days + i * windows.step_days) for i in range(windows.count)]

    @property
    def made_by(self) -> str:
        """Settings and code: what two nights compute of the same input is the same where these are."""
        return f"{self.settings.config_hash} {code_hash()}"

    def seed(self, *names: object) -> int:
        """A seed for one purpose of this night."""
        return sub_seed(self.settings.seed, self.as_of, *names)

    @property
    def work(self) -> Path:
        """Scratch of this run, seen by every executor."""
        return Path(self.settings.paths.lake) / "_work" / self.run_id

    @property
    def models(self) -> Path:
        """Model folders."""
        return Path(self.settings.paths.lake) / "_models"


@dataclass(frozen=True)
class Stage:
    """One step of the night.

    `function` gets each table it reads as a keyword argument by its short name, and `night`; it returns
    the DataFrame it writes, or a mapping of short names where it writes several. `ops.metrics` may be
    among them. A table with a time column is cut off at the as-of date unless `sees_future` names it. Of a
    nightly table it sees its own night, unless `sees_nights` names it: then all nights up to this one,
    with `run_date`, for a table that it writes itself only the nights before, and for one that a later stage writes
    only the published ones of these. `section` names a section of the settings that shapes this stage alone: a change
    of it does no other stage anew.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    function: Callable[..., DataFrame | Frames]
    sees_future: frozenset[str] = frozenset()
    sees_nights: frozenset[str] = frozenset()
    section: str = ""


@cache
def code_hash() -> str:
    """sha256 of the package's own source: another version of the code does its stages anew."""
    digest = hashlib.sha256()
    own = Path(__file__).parent
    for path in sorted([*own.rglob("*.py"), *own.rglob("*.toml")]):  # rules are code, too
        digest.update(path.read_bytes())
    return digest.hexdigest()
