"""Settings of the checks room: what a rule is."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Literal, Self

from pydantic import Field, model_validator

from recsynth.section import Section
from recsynth.tables import TABLES

Kind = Literal[
    "not_null", "range", "set", "pattern", "condition", "unique", "foreign_key", "freshness", "figure", "distribution"
]

# Of each kind: what it must say, and what it may say beside `name`, `table`, `kind`, `on_failure`, `where`, `days`.
WORDS: dict[str, tuple[set[str], set[str]]] = {
    "not_null": ({"columns"}, {"at_most"}),
    "range": ({"columns"}, {"min", "max", "at_most"}),
    "set": ({"columns", "values"}, {"at_most"}),
    "pattern": ({"columns", "pattern"}, {"at_most"}),
    "condition": ({"condition"}, {"at_most"}),
    "unique": ({"columns"}, {"at_most"}),
    "foreign_key": ({"columns", "references"}, {"at_most"}),
    "freshness": ({"columns", "max"}, set()),
    "figure": ({"expression"}, {"says", "min", "max", "fall", "rise", "deviations"}),
    "distribution": ({"columns", "max"}, set()),
}
_COMMON = {"name", "table", "kind", "on_failure", "where", "days"}
# Names of people: their values must not stand in a table that no erasure looks through.
_PERSONAL = {"user_id", "session_id", "shop_session", "order_id", "ticket_id", "event_id", "text", "question", "query",
             "answer", "summary", "sentence"}  # fmt: skip
# A night reads what these layers' stages wrote; `ops.metrics` holds the figures that they measured.
CHECKED = sorted(
    name for name, table in TABLES.items()
    if (table.nightly or table.time) and name not in ("ops.checks",)
)  # fmt: skip


class RuleSettings(Section):
    """A rule that a table must keep. `kind` says which of the other settings it needs."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name of the rule; takes the place of one of ours.")
    table: str = Field(description="Table, such as `silver.events`; of a nightly one tonight's rows are judged.")
    kind: Kind = Field(description="What must hold.")
    on_failure: Literal["hold", "warn"] = Field(
        "warn", description="`hold`: the night is not published and readers stay on the one before; `warn`: it is."
    )
    where: str = Field("", description="SQL condition: the rows that are judged; empty: all.")
    days: int = Field(
        0, ge=0, description="Only rows of so many days before the as-of date, by the table's time; 0: all."
    )
    columns: list[str] = Field(default_factory=list, description="Columns that are judged.")
    values: list[str] = Field(default_factory=list, description="`set`: the values that may stand there; null may too.")
    pattern: str = Field(
        "", description="`pattern`: regular expression that a part of each value matches; null may stand."
    )
    condition: str = Field("", description="`condition`: SQL condition that is true for every row.")
    references: str = Field("", description="`foreign_key`: table that has a row with the same values of `columns`.")
    expression: str = Field("", description="`figure`: SQL aggregate over the rows, such as `count(*)`.")
    says: str = Field("", description="`figure`: what it is in words, for the page and the log; empty: the expression.")
    at_most: float = Field(0.0, ge=0, le=1, description="Share of the rows that may break a rule on rows.")
    min: float | None = Field(None, description="Least value; of a figure, least figure.")
    max: float | None = Field(
        None,
        description="Greatest value or figure; `freshness`: days from the newest to the as-of date; `distribution`: "
        "population stability index against the last good night (0.1 is little, 0.25 much).",
    )
    fall: float | None = Field(
        None, gt=0, le=1, description="`figure`: share by which it may lie below the median of the good nights before."
    )
    rise: float | None = Field(None, gt=0, description="`figure`: share by which it may lie above that median.")
    deviations: float | None = Field(
        None, gt=0, description="`figure`: how many usual deviations (1.4826 times the median one) from that median."
    )

    @property
    def measured(self) -> str:
        """What the rule measures, as JSON: a figure is compared with nights on which it was the same one."""
        bounds = {"name", "on_failure", "at_most", "says", "fall", "rise", "deviations"}
        bounds |= {"min", "max"} if self.kind in ("freshness", "figure", "distribution") else set()
        return self.model_dump_json(exclude=bounds, exclude_defaults=True)

    @model_validator(mode="after")
    def _says_what_its_kind_needs(self) -> Self:
        needed, further = WORDS[self.kind]
        said = {name for name in self.model_fields_set if getattr(self, name) not in (None, "", [])} - _COMMON
        bounds = further & {"min", "max", "fall", "rise", "deviations"} if self.kind in ("range", "figure") else set()
        if needed - said or (bounds and not bounds & said):
            lacking = ", ".join(sorted(needed - said)) or f"one of {', '.join(sorted(bounds))}"
            raise ValueError(f"rule {self.name}: expected {lacking} for kind {self.kind}, found none")
        if said - needed - further:
            raise ValueError(
                f"rule {self.name}: expected {', '.join(sorted(needed | further))} for kind {self.kind}, "
                f"found {sorted(said - needed - further)[0]}"
            )
        self._check_names()
        return self

    def _check_names(self) -> None:
        for table in filter(None, (self.table, self.references)):
            if table not in CHECKED:
                raise ValueError(f"rule {self.name}: expected one of the tables {', '.join(CHECKED)}, found {table}")
            strange = sorted(set(self.columns) - set(TABLES[table].column_names))
            if strange:
                known = ", ".join(TABLES[table].column_names)
                raise ValueError(f"rule {self.name}: expected columns of {table} ({known}), found {strange[0]}")
        if self.days and TABLES[self.table].time is None:
            raise ValueError(f"rule {self.name}: expected a table with a time for days, found {self.table}")
        if self.kind in ("freshness", "distribution") and len(self.columns) != 1:
            raise ValueError(f"rule {self.name}: expected one column for kind {self.kind}, found {len(self.columns)}")
        if self.kind == "distribution":
            (column,) = self.columns
            is_nested = any(c.name == column and "<" in c.type for c in TABLES[self.table].columns)
            if column in _PERSONAL or is_nested:
                raise ValueError(
                    f"rule {self.name}: expected a column of plain values that name nobody, found {column}"
                )


def default_rules() -> list[RuleSettings]:
    """The rules of `rules.toml`, which every night keeps unless the settings say otherwise."""
    read = tomllib.loads(files("recsynth.checks").joinpath("rules.toml").read_text(encoding="utf-8"))
    return [RuleSettings.model_validate(rule) for rule in read["rules"]]


class CheckSettings(Section):
    """Rules that the finished tables of a night must keep; ours are in `recsynth/checks/rules.toml`."""

    hold: bool = Field(
        True,
        description='Do not publish a night that breaks a rule of `on_failure = "hold"`; false: rules only warn, and '
        "later nights are compared with this one too.",
    )
    without: list[str] = Field(default_factory=list, description="Names of our own rules that are not judged.")
    rules: list[RuleSettings] = Field(default_factory=list, description="Rules beside ours, or in the place of one.")
    nights: int = Field(14, ge=1, description="Good nights before, whose figures are compared with.")
    least_nights: int = Field(3, ge=1, description="With fewer good nights before, a figure is not compared with them.")

    @model_validator(mode="after")
    def _names_are_known_and_unique(self) -> Self:
        ours = {rule.name for rule in default_rules()}
        strange = sorted(set(self.without) - ours)
        if strange:
            raise ValueError(f"without: expected names of our rules ({', '.join(sorted(ours))}), found {strange[0]}")
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"rules: expected names of their own, found {twice[0]} twice")
        return self

    @property
    def in_force(self) -> list[RuleSettings]:
        """Ours, but for those left out or replaced, then the shop's own."""
        left_out = {*self.without, *(rule.name for rule in self.rules)}
        return [*(rule for rule in default_rules() if rule.name not in left_out), *self.rules]
