"""The words of an item in which values of its fields are looked for, and where the record itself stands in them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.apps.catalogue import renamed
from recsynth.apps.tagger import Span
from recsynth.texts import readable

BRAND, CATEGORY, ANY = "brand", "category", "?"
JOINT = ". "
"""Between title and description."""


def item_words(items: DataFrame) -> DataFrame:
    """The latest version of each item: item_id, text, title_length, content_hash, category (path or null), fields.

    items: silver.items. fields: name to value of the brand and of each attribute that the record holds. An item
    without a letter in title and description is left out.
    """
    path = F.nullif(F.array_join("category", " > "), F.lit(""))
    own = renamed("attributes", lambda k: F.lower(F.trim(k)))
    brand = F.map_filter(F.create_map(F.lit(BRAND), F.col("brand")), lambda _, v: v.isNotNull())
    # An attribute called brand would be a second value under the same name.
    fields = F.map_concat(brand, F.map_filter(own, lambda k, _: ~k.isin(BRAND, CATEGORY)))
    known = items.groupBy("item_id").agg(
        *(F.max_by(c, "valid_from").alias(c) for c in ("title", "description", "category", "brand", "attributes"))
    )
    title = F.coalesce(readable(F.col("title")), F.lit(""))
    both = F.concat_ws(JOINT, F.nullif(title, F.lit("")), readable(F.col("description")))
    said = known.select("item_id", both.alias("text"), F.length(title).alias("title_length"), path.alias("category"),
                        F.map_filter(fields, lambda _, v: F.trim(v) != "").alias("fields"))  # fmt: skip
    return said.where("text <> ''").withColumn("content_hash", F.sha2("text", 256))


def recorded_spans(text: str, fields: Mapping[str, str], known: Mapping[str, Sequence[str]]) -> list[Span]:
    """Where a text holds what the record says: distant supervision (Mintz et al., ACL 2009), whole words alone.

    known: for each field the values of other items. Where the record has no value of a field, these are marked with
    the field ANY: they may well be one, and teach nothing.

    >>> recorded_spans("A red mug in Redwood, glass.", {"colour": "Red"}, {"colour": ["Red"], "material": ["glass"]})
    [Span(field='colour', start=2, end=5, chance=1.0), Span(field='?', start=22, end=27, chance=1.0)]
    """
    spans = [s for field, value in sorted(fields.items()) if field in known for s in occurrences(text, field, [value])]
    for field in sorted(set(known) - set(fields)):
        spans += [s._replace(field=ANY) for s in occurrences(text, field, known[field])]
    return spans


def occurrences(text: str, field: str, values: Sequence[str]) -> list[Span]:
    """Spans of any of the values in a text, the longest first where they overlap; short ones as they are written."""
    found: list[Span] = []
    for value in sorted(set(values), key=lambda v: (-len(v), v)):
        # Letters of languages without spaces touch one another: there a word has no edge to look for.
        pattern = rf"(?<!\w){re.escape(value)}(?!\w)" if value.isascii() else re.escape(value)
        for at in re.finditer(pattern, text, re.IGNORECASE if len(value) > 2 else 0):
            if not any(at.start() < s.end and at.end() > s.start for s in found):
                found.append(Span(field, at.start(), at.end()))
    return sorted(found)
