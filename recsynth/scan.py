"""Where words still stand in files: values of Parquet files, whether a table refers to them or not, and plain bytes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

CHUNK, BATCH = 16 << 20, 65_536
# The pretrained encoder's own words and numbers: nobody's data, and any short id is among them.
_LOG, _CHECKPOINT = re.compile(r"/_delta_log/\d[^/]*\.(json|crc)$"), re.compile(r"/_delta_log/[^/]*\.parquet$")
_PRETRAINED = re.compile(r"(tokenizer\.json|vocab\.txt|\.safetensors)$")


class Found(NamedTuple):
    """A file that holds a word, and the column where it does; `bytes` where the file has none."""

    path: str
    where: str


def scan(spark: SparkSession, folders: Sequence[Path], words: Sequence[str], most: int) -> tuple[int, list[Found]]:
    """How many files lie below the folders, and the first `most` places where one of the words stands whole.

    A word stands whole where no letter, digit, `_` or `-` touches it. Parquet files are read value by value, with the
    statistics in their footers; of any other file the bytes count. Weights and the pretrained vocabulary are left
    out. Bound on the driver: the names of the files.
    """
    paths = [os.path.join(at, name) for folder in folders for at, _, names in os.walk(folder) for name in names]
    paths = sorted(p for p in paths if not _PRETRAINED.search(p))
    if not paths:
        return 0, []
    tasks = min(len(paths), 4 * spark.sparkContext.defaultParallelism)
    files = spark.createDataFrame([(p,) for p in paths], "path string").repartition(tasks)
    found = files.mapInPandas(_looking(words), "path string, where string").orderBy("path", "where").limit(most)
    return len(paths), [Found(r["path"], r["where"]) for r in found.collect()]


def whole_words(words: Sequence[str]) -> re.Pattern[bytes]:
    """Finds any of the words where it stands whole, in UTF-8.

    >>> bool(whole_words(["u1"]).search(b'{"user": "u1"}')), bool(whole_words(["u1"]).search(b"u12 xu1 u1-a"))
    (True, False)
    """
    either = b"|".join(re.escape(w.encode()) for w in words)
    return re.compile(rb"(?<![\w-])(?:" + either + rb")(?![\w-])")


def places(path: str, pattern: re.Pattern[bytes]) -> Iterator[str]:
    """Where a file holds a match: names of columns, or `bytes`."""
    if path.endswith(".parquet"):
        yield from _in_parquet(path, pattern)
    elif _in_log(path, pattern) if _LOG.search(path) else _in_bytes(path, pattern):
        yield "bytes"


def _in_log(path: str, pattern: re.Pattern[bytes]) -> bool:
    """Whether a text within one of Delta's JSON files holds a match; a line that is no JSON counts as it stands."""
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return any(pattern.search(_texts(line).encode(errors="surrogateescape")) for line in file)


def _texts(said: str) -> str:
    """The texts of JSON, its statistics of a file read as JSON too, a line each; what is no JSON as it stands.

    Ids are texts: a file of 17850 bytes is not the user 17850. A value that only looks like JSON is somebody's.

    >>> stats = json.dumps({"numRecords": 7, "minValues": {"raw": "{7}"}})
    >>> _texts(json.dumps({"add": {"size": 7, "stats": stats}})).split()
    ['add', 'size', 'stats', 'numRecords', 'minValues', 'raw', '{7}']
    """
    try:
        return "\n".join(_leaves(json.loads(said)))
    except ValueError:
        return said


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from [_texts(each)] if name == "stats" and isinstance(each, str) else _leaves(each)


def _in_bytes(path: str, pattern: re.Pattern[bytes]) -> bool:
    before = b""
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            if pattern.search(before + chunk):
                return True
            before = chunk[-1024:]
    return False


def _in_parquet(path: str, pattern: re.Pattern[bytes]) -> Iterator[str]:
    with pq.ParquetFile(path) as file:
        footer, names = file.metadata, set()
        read: Callable[[str], str] = _texts if _CHECKPOINT.search(path) else str
        for group in range(footer.num_row_groups):
            for at in range(footer.num_columns):
                column = footer.row_group(group).column(at)
                if column.statistics is not None and column.statistics.has_min_max:
                    ends = [e for e in (column.statistics.min, column.statistics.max) if isinstance(e, str)]
                    names |= {column.path_in_schema} if pattern.search("\n".join(map(read, ends)).encode()) else set()
        kept = footer.metadata or {}
        names |= {"footer"} if any(pattern.search(v) for v in kept.values()) else set()
        for batch in file.iter_batches(BATCH):
            for name, values in zip(batch.schema.names, batch.columns, strict=True):
                if name not in names and any(_holds(part, pattern, read) for part in _strings(values)):
                    names.add(name)
    yield from sorted(names)


def _holds(values: Any, pattern: re.Pattern[bytes], read: Callable[[str], str]) -> bool:
    distinct = pc.unique(values.cast(pa.large_string(), safe=False)).to_pylist()
    return pattern.search("\n".join(read(v) for v in distinct if v is not None).encode()) is not None


def _strings(values: Any) -> Iterator[Any]:
    """The arrays of text within an array, however deep."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        yield from _strings(values.dictionary)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield values
    elif pa.types.is_map(kind):
        yield from _strings(values.keys)
        yield from _strings(values.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _strings(values.flatten())
    elif pa.types.is_struct(kind):
        for part in values.flatten():
            yield from _strings(part)


def _looking(words: Sequence[str]) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    def look(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        pattern = whole_words(words)
        for batch in batches:
            rows = [(path, where) for path in batch["path"] for where in places(path, pattern)]
            yield pd.DataFrame(rows, columns=["path", "where"])

    return look
