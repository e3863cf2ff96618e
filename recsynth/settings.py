"""The settings of a night: TOML validated by pydantic; each room declares its own section."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator, model_validator

from recsynth.apps.settings import AppsSettings
from recsynth.bronze.settings import LandingSettings
from recsynth.candidates.settings import CandidateSettings
from recsynth.checks.settings import CheckSettings
from recsynth.errors import SettingsError
from recsynth.evaluation.settings import EvaluationSettings
from recsynth.gold.settings import GoldSettings
from recsynth.inference.settings import InferenceSettings
from recsynth.ranking.settings import RankingSettings
from recsynth.section import Section
from recsynth.shop.settings import ShopSettings
from recsynth.silver.settings import SilverSettings
from recsynth.source import SourceSettings
from recsynth.synthesis.settings import SynthesisSettings
from recsynth.tables import TABLES
from recsynth.tables.model import CLASSIFIERS, MODELS
from recsynth.training.settings import TrainingSettings

# What a later night begins from, however old it is.
CHAMPIONS = (MODELS.name, CLASSIFIERS.name)


class PathSettings(Section):
    """Where the night reads and writes."""

    landing: str = Field(
        "data/landing",
        description="Folder with the shop's files; made by the simulator if absent and `simulate` is on.",
    )
    lake: str = Field("data/lake", description="Folder of the Delta tables, `<lake>/<layer>/<table>`.")
    catalog: str = Field(
        "",
        description="Prefix of schemas under which tables are also registered, such as `main.shop_`; empty: paths.",
    )
    report: str = Field("data/report", description="Folder of the pages, `<report>/<date>/index.html`.")

    @field_validator("landing", "lake", "report")
    @classmethod
    def _absolute(cls, value: str) -> str:
        # Delta takes a relative location for a table's name, and executors have another working folder.
        return str(Path(value).absolute())


class SparkSettings(Section):
    """The session, where the job starts one itself; spark-submit's own settings win."""

    master: str = Field("local[2]", description="Master URL when no spark-submit gave one.")
    driver_memory: str = Field("3g", description="Heap of the driver, which in local mode is all of Spark.")
    shuffle_partitions: int = Field(
        4, ge=1, description="Partitions after a shuffle; adaptive execution merges small ones."
    )
    extra: dict[str, str] = Field(default_factory=dict, description="Any further Spark setting by its own name.")


class RetentionSettings(Section):
    """What the lake keeps. What readers see of a night (output and ops) is kept for ever unless `tables` names it."""

    nights: int = Field(
        30,
        ge=0,
        description="Newest published nights that keep all they were made of: candidates, features, windows, vectors, "
        "models. A run of an older date does all of it anew; 0: every night.",
    )
    tables: dict[str, int] = Field(
        default_factory=dict,
        description="Nightly table to how many of the newest published nights it keeps; 0: all.",
    )
    event_days: int = Field(
        0,
        ge=0,
        description="Days before the newest published night for which events, reviews, questions and posts are kept, "
        "whoever's they are; needs `raw_days`. 0: for ever.",
    )
    raw_days: int = Field(
        0,
        ge=0,
        description="Days after its landing for which a row of a file is kept as it came, or set aside; after that it "
        "can be neither cleaned again nor replayed. Rows of tables stay. 0: for ever.",
    )
    history_days: int = Field(
        7,
        ge=7,
        description="Days for which an earlier Delta version can still be read; a query must not take longer.",
    )
    every: int = Field(
        7, ge=0, description="Published nights after which the next one first tidies the lake; 0: `jobs/tidy.py` alone."
    )

    @field_validator("tables")
    @classmethod
    def _can_expire(cls, value: dict[str, int]) -> dict[str, int]:
        for name, nights in value.items():
            if name not in TABLES or not TABLES[name].nightly:
                raise ValueError(f"expected a nightly table, such as output.recommendations, found {name!r}")
            if TABLES[name].layer == "ops" or name in CHAMPIONS:
                raise ValueError(f"expected no table that later nights are judged by or begin from, found {name!r}")
            if nights < 0:
                raise ValueError(f"expected nights to keep of {name}, 0 or more, found {nights}")
        return value

    @model_validator(mode="after")
    def _rows_go_before_events(self) -> Self:
        # Cleaning anew from rows that are still there would bring back events that are gone.
        if self.event_days and not 0 < self.raw_days <= self.event_days:
            raise ValueError(f"raw_days: expected 1 to event_days ({self.event_days}), found {self.raw_days}")
        return self


class Settings(Section):
    """Everything that a night can be told; unknown keys are refused."""

    seed: int = Field(20111209, ge=0, description="The one seed; every random draw derives from it.")
    shop_time_zone: str = Field("UTC", description="IANA zone in which a day of the shop begins and ends.")
    simulate: bool = Field(False, description="Fill an absent landing folder with the simulated shop.")
    paths: PathSettings = Field(default_factory=PathSettings, description="Where to read and write.")
    spark: SparkSettings = Field(default_factory=SparkSettings, description="The Spark session.")
    sources: list[SourceSettings] = Field(default_factory=list, description="What lands and how its columns map.")
    landing: LandingSettings = Field(default_factory=LandingSettings, description="What is done before rows land.")
    silver: SilverSettings = Field(default_factory=SilverSettings, description="Cleaning.")
    gold: GoldSettings = Field(default_factory=GoldSettings, description="R, histories, item text, windows.")
    synthesis: SynthesisSettings = Field(
        default_factory=SynthesisSettings, description="Synthetic users and what they must reach."
    )
    training: TrainingSettings = Field(default_factory=TrainingSettings, description="Fine-tuning.")
    inference: InferenceSettings = Field(default_factory=InferenceSettings, description="Encoding.")
    candidates: CandidateSettings = Field(default_factory=CandidateSettings, description="Candidate sources.")
    ranking: RankingSettings = Field(default_factory=RankingSettings, description="Ranker and lists.")
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings, description="Judging a night.")
    apps: AppsSettings = Field(default_factory=AppsSettings, description="The applications.")
    checks: CheckSettings = Field(default_factory=CheckSettings, description="Rules that a night must keep.")
    retention: RetentionSettings = Field(default_factory=RetentionSettings, description="What the lake keeps.")
    shop: ShopSettings = Field(default_factory=ShopSettings, description="The simulated shop.")

    @field_validator("shop_time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError) as error:
            raise ValueError(f"no such IANA time zone: {value}") from error
        return value

    @model_validator(mode="after")
    def _windows_have_events(self) -> Self:
        windows, kept = self.gold.windows, self.retention.event_days
        needed = windows.days + (windows.count - 1) * windows.step_days
        if 0 < kept <= needed:
            raise ValueError(
                f"retention.event_days: expected more than the {needed} days of gold.windows, found {kept}"
            )
        return self

    @model_validator(mode="after")
    def _pictures_have_a_size(self) -> Self:
        for source in self.sources:
            if not self.silver.image_size and "image_vector" in {*source.columns, *source.item_columns}:
                raise ValueError(
                    f"silver.image_size: expected how many numbers image_vector of source {source.name} has, found 0"
                )
        return self

    @property
    def config_hash(self) -> str:
        """sha256 of all that shapes tables: not paths, the Spark session, the checks that judge them, what is kept."""
        return _hash(self.model_dump(mode="json", exclude={"paths", "spark", "checks", "retention"}))

    def section_hash(self, name: str) -> str:
        """sha256 of one section."""
        return _hash(self.model_dump(mode="json", include={name}))

    @classmethod
    def load(cls, path: str | Path, overrides: list[str] | None = None) -> Self:
        """Read a TOML file, then apply `section.key=value` overrides (values in TOML syntax, else text).

        Raises SettingsError with the file, the key, what was expected and what was found.
        """
        path = Path(path)
        if not path.is_file():
            raise SettingsError(f"{path}: expected a TOML file, found nothing")
        try:
            values = tomllib.loads(path.read_text())
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{path}: expected TOML, found {error}") from error
        for override in overrides or []:
            _apply(values, override)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise SettingsError(_explain(path, error)) from error


def _hash(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise SettingsError(f"--set {override}: expected section.key=value, found no '='")
    *sections, name = key.strip().split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise SettingsError(f"--set {override}: expected {section} to be a section, found a value")
    try:
        values[name] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        values[name] = text


def _explain(path: Path, error: ValidationError) -> str:
    lines = [f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg']}, found {e.get('input')!r}" for e in error.errors()]
    return "; ".join(lines)
