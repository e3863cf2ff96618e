"""Synthetic items: records of a catalogue that does not exist, beside the same of items held out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from recsynth.model.folder import register
from recsynth.stage import Night
from recsynth.synthesis.generator import BLOCK, GAN, KINDS
from recsynth.synthesis.halves import LEARN
from recsynth.synthesis.table_columns import columns_of
from recsynth.synthesis.table_gan import fit_table
from recsynth.synthesis.table_gate import Row, judged_rows, verdict_of
from recsynth.synthesis.table_generator import Tables, read_tables, write_tables
from recsynth.synthesis.table_rows import (
    ATTRIBUTE,
    HALF,
    ITEM,
    PERSON,
    attribute_names,
    item_rows,
    kept,
    latest,
    sample,
)
from recsynth.tables.synthesis import SYNTHETIC_ITEMS

PRICE = "price"


def synthetic_items(items: DataFrame, night: Night) -> tuple[DataFrame, list[Row]] | None:
    """Rows of synthetic_items with their verdict, and of the report; None where there are few records or they are bare.

    items: rows of silver.items. Half of them, by hash, are learned from.
    """
    spark, settings = items.sparkSession, night.settings.synthesis.tables
    names = attribute_names(items, settings)
    real = kept(item_rows(items, names, night.seed("item halves")), night.work / "tables" / "items")
    seed = night.seed("table", ITEM)
    learned = sample(real, LEARN, settings.max_rows, seed, PERSON)
    fields = [c for c in real.columns if c not in (PERSON, HALF)]
    found = columns_of(learned, fields, set(fields) - {PRICE}, settings)
    # What is the same in every record is nothing to learn.
    columns = tuple(c for c in found if max(c.shares) < 1)
    if not columns or 2 * len(learned) < night.settings.synthesis.min_users:
        return None
    generator = fit_table(learned, columns, 0, settings, seed)
    card = {"settings": settings.model_dump(mode="json"), "seed": seed}
    tables = Tables({ITEM: generator}, {}, {})
    version = register("items", lambda f: write_tables(tables, f, card), night.work / "items", night.models)
    count = settings.items or len(learned)
    schema = ", ".join(f"`{c.name}` {'double' if c.is_number else 'string'}" for c in columns)
    blocks = spark.range(0, len(KINDS) * -(-count // BLOCK), 1, 2 * spark.sparkContext.defaultParallelism)
    function = _draws(str(night.models / version), count, seed)
    drawn = blocks.mapInPandas(function, f"{PERSON} string, {HALF} string, {schema}")
    drawn = kept(drawn, night.work / "tables" / "drawn_items")
    kinds = {kind: drawn.where(F.col(HALF) == kind) for kind in KINDS}
    rows = judged_rows(ITEM, real, kinds, generator, settings.gate, seed)
    made = _records(kinds[GAN], {c.name for c in columns}, names).withColumns({
        "currency": F.lit(_currency(items)).cast("string"), "model_version": F.lit(version),
        "seed": F.lit(seed).cast("bigint"), "verdict": F.lit(verdict_of(rows)),
        "source_version": F.lit(night.data_versions.get("silver.items", 0)).cast("bigint"),
    })  # fmt: skip
    return made.select(*SYNTHETIC_ITEMS.column_names), rows


def _records(drawn: DataFrame, has: set[str], attributes: list[str]) -> DataFrame:
    """Drawn rows as item records; what was nothing to learn is null."""

    def of(name: str, type_: str) -> Column:
        return (F.col(name) if name in has else F.lit(None)).cast(type_)

    pairs = [x for n in attributes if ATTRIBUTE + n in has for x in (F.lit(n), F.col(f"`{ATTRIBUTE}{n}`"))]
    told = F.map_filter(F.create_map(*pairs), lambda _, value: value.isNotNull())
    return drawn.select(
        F.col(PERSON).alias("item_id"), F.split(of("category", "string"), " > ").alias("category"),
        of("brand", "string").alias("brand"), of(PRICE, "decimal(18,4)").alias(PRICE),
        of("available", "boolean").alias("available"), told.cast("map<string,string>").alias("attributes"),
    )  # fmt: skip


def _currency(items: DataFrame) -> str | None:
    """The most frequent one of the records."""
    by = latest(items).where("currency is not null").groupBy("currency").count()
    most = by.orderBy(F.desc("count"), "currency").first()
    return None if most is None else str(most.currency)


def _draws(folder: str, items: int, seed: int) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """The mapInPandas function from numbers, each a kind and a block of it, to drawn items."""

    def drawn(numbers: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        table = read_tables(folder).generators[ITEM]
        for number in (n for batch in numbers for n in batch["id"]):
            block, k = divmod(int(number), len(KINDS))
            rng = np.random.default_rng([seed, k, block])
            codes_BC = table.draw(KINDS[k], np.zeros((BLOCK, 0), int), rng)
            values = {c.name: c.decode(codes_BC[:, n], rng) for n, c in enumerate(table.columns)}
            ids = [f"synthetic-item-{block * BLOCK + n:08d}" for n in range(BLOCK)]
            yield pd.DataFrame({PERSON: ids, HALF: KINDS[k], **values}).head(items - block * BLOCK)

    return drawn
