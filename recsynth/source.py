"""A source: what lands, and how its columns map to events and items."""

from __future__ import annotations

import re
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from recsynth.section import Section

EventColumn = Literal[
    "event_id", "user_id", "item_id", "event_type", "ts", "query", "quantity", "price", "currency",
    "rating", "text", "session_id", "order_id", "country",
]  # fmt: skip
ItemColumn = Literal[
    "item_id", "seen_date", "title", "description", "category", "brand", "price", "currency",
    "attributes", "image_path", "image_vector", "available",
]  # fmt: skip

TicketColumn = Literal[
    "ticket_id", "user_id", "ts", "question", "answer", "answered_at", "intent", "order_id", "item_id"
]  # fmt: skip
PolicyColumn = Literal["policy_id", "seen_date", "title", "text"]
PromotionColumn = Literal["promotion_id", "item_id", "first_day", "last_day", "is_cancelled", "seen_date"]
PostColumn = Literal[
    "post_id", "user_id", "ts", "text", "topic", "sentiment", "labelled_at", "entity", "item_id"
]  # fmt: skip

# In an expression: the file's path below the landing folder.
PATH = "_path"
# Of these whole files land; of a table the rows that it has more than bronze.
LOCAL_FORMATS = ("csv", "jsonl", "parquet")

REQUIRED = {
    "events": ("user_id", "item_id", "event_type", "ts"), "items": ("item_id", "title"),
    "tickets": ("ticket_id", "ts", "question"), "policies": ("policy_id", "text"), "posts": ("ts", "text"),
    "promotions": ("promotion_id", "item_id", "first_day", "last_day"),
}  # fmt: skip
COLUMNS = {
    "events": EventColumn, "items": ItemColumn, "tickets": TicketColumn, "policies": PolicyColumn, "posts": PostColumn,
    "promotions": PromotionColumn,
}  # fmt: skip

Policy = Literal["refuse", "evolve", "ignore", "quarantine"]


class DriftSettings(Section):
    """What happens to a file whose columns are not those of the files before.

    `refuse`: the run ends with exit code 3, nothing lands. `evolve`: it lands, the change is written to
    bronze.column_changes, and later files are compared with the new form. `ignore`: it lands, nothing is written, later
    files are compared with the old form. `quarantine`: it lands, the change is written, and its rows are set aside as
    `schema: <change> <column>` until the policy is another one and `jobs/replay.py` is run. A column that no expression
    reads is never missing, renamed or retyped to any harm: there `refuse` and `quarantine` mean `evolve`.
    """

    new: Policy = Field("evolve", description="A column that no file had before.")
    missing: Policy | None = Field(
        None,
        description="A column is gone, and `optional` does not list it; with `evolve` and `ignore` it reads as null. "
        "Left out: `refuse`, but for JSON Lines, where a row says its own fields, `ignore`.",
    )
    renamed: Policy = Field(
        "refuse",
        description="A column is gone and a new one is spelled alike but for case and punctuation; with `evolve` it is "
        "read under its old name. Another spelling is a missing and a new column, and `aliases` makes them one.",
    )
    retyped: Policy = Field(
        "evolve",
        description="A column of numbers, times or truth values holds something else: in Parquet and tables as "
        "declared, in text as the first megabyte of the file reads. Rows that can't be parsed are set aside anyway.",
    )
    reordered: Policy = Field("evolve", description="The same columns in another order; they are read by name.")


class SourceSettings(Section):
    """One kind of file or table that a shop delivers, and the mapping from its columns to ours."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name of the source; part of every row's origin.")
    kind: Literal["events", "items", "tickets", "policies", "posts", "promotions"] = Field(
        description="What a row of it is."
    )
    format: Literal["csv", "jsonl", "parquet", "delta", "table"] = Field(description="How it is stored.")
    path: str = Field(description="Glob below the landing folder; for delta a folder, for table a catalogue name.")
    delimiter: str = Field(",", min_length=1, description="Between the fields of a CSV line.")
    encoding: str = Field("UTF-8", description="Character set of CSV files.")
    time_zone: str = Field("UTC", description="IANA zone of times that carry no offset.")
    time_format: str = Field("", description="Spark datetime pattern of times; empty: ISO 8601.")
    columns: dict[EventColumn | ItemColumn | TicketColumn | PolicyColumn | PostColumn | PromotionColumn, str] = Field(
        description="Our column to a Spark SQL expression over theirs, all text."
    )
    item_columns: dict[ItemColumn, str] = Field(
        default_factory=dict, description="For events whose rows also describe their item: the same for item records."
    )
    event_types: dict[str, str] = Field(
        default_factory=dict,
        description="The shop's word for an event to ours; a word that is not listed stands for itself.",
    )
    filters: dict[str, str] = Field(
        default_factory=dict,
        description="Name to an SQL condition that a row must satisfy, else it is set aside as `filtered: <name>`.",
    )
    optional: list[str] = Field(
        default_factory=list,
        description="Columns that a file may lack; they read as null. Every other column named above is required.",
    )
    aliases: dict[str, list[str]] = Field(
        default_factory=dict,
        description="Column named above to other names that it has in some files, the first that is there counts.",
    )
    drift: DriftSettings = Field(
        default_factory=DriftSettings, description="Files whose columns are not those of the files before."
    )

    @model_validator(mode="after")
    def _maps_what_is_required(self) -> Self:
        missing = [c for c in REQUIRED[self.kind] if c not in self.columns]
        if missing:
            raise ValueError(f"source {self.name}: expected an expression for {', '.join(missing)}, found none")
        if self.kind != "events" and self.item_columns:
            raise ValueError(f"source {self.name}: expected item_columns for kind events alone, found kind {self.kind}")
        strange = sorted(set(self.columns) - set(get_args(COLUMNS[self.kind])))
        if strange:
            known = ", ".join(get_args(COLUMNS[self.kind]))
            raise ValueError(f"source {self.name}: expected columns of {self.kind} ({known}), found {strange[0]}")
        return self

    def policy(self, change: str) -> Policy:
        """What happens to a file with this change of a column that is read: a field of `drift`."""
        if change == "missing" and self.drift.missing is None:
            return "ignore" if self.format == "jsonl" else "refuse"
        policy: Policy = getattr(self.drift, change)
        return policy

    @property
    def expressions(self) -> list[str]:
        """Every SQL expression and condition of the source."""
        return [*self.columns.values(), *self.item_columns.values(), *self.filters.values()]


def spelling(name: str) -> str:
    """A column's name without case and punctuation: `User ID` and `user_id` are spelled alike.

    >>> spelling("User ID"), spelling("user_id")
    ('userid', 'userid')
    """
    return re.sub(r"[\W_]+", "", name).casefold()
