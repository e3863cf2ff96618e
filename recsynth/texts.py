"""Texts as models read them, and which of them no model learns from."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

MOST_CHARS = 4000
ONE_OF = 10


def readable(text: Column) -> Column:
    """A text as models read it, white space folded and cut; null where there is no letter in it."""
    folded = F.trim(F.regexp_replace(F.substring(text, 1, 4 * MOST_CHARS), r"[\p{Cntrl}\s]+", " "))
    return F.when(folded.rlike(r"\p{L}"), F.substring(folded, 1, MOST_CHARS))


def is_held_out(text: Column) -> Column:
    """Whether a text is of the tenth, by hash, that neither what reads texts nor what writes them ever learns from."""
    return F.pmod(F.xxhash64(text), F.lit(ONE_OF)) == 0
