"""How a table is declared: schema, key, grain, units, partition, writer and honest time."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import DataType, DateType, StructField, StructType

RUN_DATE = "run_date"

WriteMode = Literal["night", "append", "merge", "replace", "partitions"]


@dataclass(frozen=True)
class Column:
    """A column: its Spark type, what it means (units included), and the rule its values keep."""

    name: str
    type: str
    meaning: str
    required: bool = True
    rule: str | None = None
    before: str | None = None
    """In SQL over the other columns: its value in rows that were written before the table had it; null without."""

    @property
    def comment(self) -> dict[str, str]:
        """What stands beside it in the lake."""
        return {"comment": self.meaning}

    @property
    def is_addable(self) -> bool:
        """Whether a lake that lacks the column can be given it."""
        return not self.required or self.before is not None


def column(name: str, type_: str, meaning: str, rule: str | None = None, before: str | None = None) -> Column:
    """Declare a column; a type that ends in `?` may be null.

    >>> column("price", "decimal(18,4)?", "unit price in `currency`", "price >= 0").required
    False
    """
    return Column(name, type_.rstrip("?"), meaning, not type_.endswith("?"), rule, before)


@dataclass(frozen=True)
class Table:
    """A table of the lake: `<lake>/<layer>/<short name>`.

    A `nightly` table holds one complete copy for each night: the store adds `run_date`, replaces that
    partition whole, and a stage reads its own night only. The others say how they are written: `append`,
    `merge` (update or insert by key), `replace` (whole) or `partitions` (those that the rows touch).
    `time` names the column by which a stage is kept honest: it sees rows with `time` before the night's
    cut-off, unless it declares otherwise.
    """

    name: str
    grain: str
    writer: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    nightly: bool = True
    write: WriteMode = "night"
    partition: tuple[str, ...] = ()
    time: str | None = None
    version: int = field(default=1)

    @property
    def short(self) -> str:
        """The name without its layer, by which a stage's parameter is called."""
        return self.name.split(".", 1)[1]

    @property
    def layer(self) -> str:
        """bronze, silver, gold, model, rank, output or ops."""
        return self.name.split(".", 1)[0]

    @property
    def partition_by(self) -> tuple[str, ...]:
        """Partition columns as stored, `run_date` first for nightly tables."""
        return (RUN_DATE, *self.partition) if self.nightly else self.partition

    @cached_property
    def schema(self) -> StructType:
        """The Spark schema that a stage sees, without `run_date`."""
        return StructType([StructField(c.name, DataType.fromDDL(c.type)) for c in self.columns])

    def empty(self, spark: SparkSession) -> DataFrame:
        """A frame of the table without a row, as a stage sees it.

        The filter tells the planner so: what is joined with it, or made of it alone, is not run. Of an empty list it
        knows nothing, and runs every step on no row.
        """
        return spark.createDataFrame([], self.schema).where("false")

    @property
    def stored_schema(self) -> StructType:
        """The schema that a new table is made with: what each column means stands beside it."""
        fields = [StructField(c.name, DataType.fromDDL(c.type), metadata=c.comment) for c in self.columns]
        night = StructField(RUN_DATE, DateType(), metadata={"comment": "as-of date of the night"})
        return StructType([*fields, night] if self.nightly else fields)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Column names in their declared order, without `run_date`."""
        return tuple(c.name for c in self.columns)
