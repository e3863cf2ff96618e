"""Pseudonyms: user ids replaced by a keyed hash before anything lands, so that the lake never holds one."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from recsynth.errors import InputError, SettingsError
from recsynth.expressions import references
from recsynth.source import SourceSettings, spelling

KEY = "RECSYNTH_ID_KEY"
LEAST_BYTES = 32
USER = "user_id"
_SHAPE = re.compile(r"u-[0-9a-f]{6}-[0-9a-f]{32}")


def key_of_environment() -> bytes:
    """The key, from the environment alone. Raises SettingsError, without a letter of it, where it is none or short."""
    key = os.environ.get(KEY, "").encode()
    if len(key) < LEAST_BYTES:
        raise SettingsError(
            f"{KEY}: expected a secret of at least {LEAST_BYTES} bytes in the environment (landing.pseudonyms is on), "
            f"found {len(key)} bytes"
        )
    return key


def pseudonym(key: bytes, user: str) -> str:
    """HMAC-SHA256 of the trimmed id, cut to 128 bits, behind six digits that tell one key from another.

    >>> pseudonym(b"k" * 32, "anna") == pseudonym(b"k" * 32, " anna "), len(pseudonym(b"k" * 32, "anna"))
    (True, 41)
    """
    return f"{tag(key)}{_digest(key, user.strip())[:32]}"


def tag(key: bytes) -> str:
    """How every pseudonym of a key begins."""
    return f"u-{_digest(key, 'recsynth: which key is it')[:6]}-"


def is_pseudonym(user: str) -> bool:
    """Whether an id looks like one, of whatever key.

    >>> is_pseudonym(pseudonym(b"k" * 32, "anna")), is_pseudonym("u-1")
    (True, False)
    """
    return _SHAPE.fullmatch(user) is not None


def id_columns(source: SourceSettings) -> set[str]:
    """The source's own columns that its `user_id` is read from, by any of their names; empty where it has none."""
    if USER not in source.columns:
        return set()
    named = references(source.columns[USER], f"source {source.name}")
    return named | {alias for name in named for alias in source.aliases.get(name, ())}


def hidden(rows: DataFrame, source: SourceSettings, key: bytes) -> DataFrame:
    """Rows with `raw`, and `fields` if they have it, whose user ids are pseudonyms.

    A line that could not be read may hold an id anywhere: only its keyed hash stays. A column that is spelled like one
    with ids, but for case and punctuation, counts as one: it may be the same, renamed.
    """
    columns = id_columns(source)
    if not columns:
        return rows
    spelled = {spelling(name) for name in columns}

    @pandas_udf("string")  # type: ignore[call-overload,untyped-decorator]
    def hide(raws: pd.Series) -> pd.Series:
        return raws.map(lambda raw: raw if raw is None else _hidden(raw, key, spelled))

    shown = rows.withColumn("raw", hide("raw"))
    if "fields" not in rows.columns:
        return shown
    read = F.from_json("raw", "map<string,string>")
    return shown.withColumn("fields", F.when(F.col("fields").isNotNull(), read))


def check_key(rows: DataFrame, source: SourceSettings, key: bytes | None) -> None:
    """Raise InputError where what a source landed before is under another key, or `key` is None and it is under one.

    rows: those of bronze.rows of the source; one of them is looked at.
    """
    columns = id_columns(source)
    if not columns:
        return
    found = F.coalesce(*(F.nullif(F.trim(F.col("fields")[c]), F.lit("")) for c in sorted(columns)))
    row = rows.where("fields is not null").select(found.alias("user")).where("user is not null").first()
    if row is None:
        return
    if key is None and is_pseudonym(row.user):
        raise InputError(f"source {source.name}", "landing.pseudonyms = true, as when it landed first", "false")
    if key is not None and not row.user.startswith(tag(key)):
        shown = "those of another key" if is_pseudonym(row.user) else "plain ids"
        raise InputError(f"source {source.name}", f"the pseudonyms of {KEY} in what landed before", shown)


def _hidden(raw: str, key: bytes, spelled: set[str]) -> str:
    try:
        # Numbers stay as they are written.
        row = json.loads(raw, parse_float=str, parse_int=str)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        return f"unreadable line {_digest(key, raw)}"
    for name, value in row.items():
        if spelling(name) in spelled and value is not None and str(value).strip():
            row[name] = pseudonym(key, value if isinstance(value, str) else json.dumps(value, sort_keys=True))
    return json.dumps(row, ensure_ascii=False)


def _digest(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
