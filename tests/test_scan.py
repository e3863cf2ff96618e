"""The scan finds a word wherever a file can hold it, and nothing that only looks like it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from recsynth.scan import Found, scan

WORD = "u-17.x"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files with the word at different places, and files without it."""
    nested = pa.table({
        "plain": ["a", "b"], "tags": [["x"], [WORD, None]], "facts": pa.array([[("k", "v")], [(WORD, "v")]],
        pa.map_(pa.string(), pa.string())), "deep": [[{"name": None}], [{"name": f"by {WORD}!"}]],
        "coded": pa.array(["c", WORD]).dictionary_encode(), "n": [1, 2],
    })  # fmt: skip
    (tmp_path / "lake/t/_delta_log").mkdir(parents=True)
    pq.write_table(nested, tmp_path / "lake/t/part-0.snappy.parquet", compression="zstd")
    pq.write_table(pa.table({"plain": ["u-17.xy", "xu-17.x", "u-17x"]}), tmp_path / "lake/t/part-1.parquet")
    pd.DataFrame({"n": [1]}).to_parquet(tmp_path / "lake/t/part-2.parquet")
    (tmp_path / "lake/t/_delta_log/00.json").write_text(f'{{"min":"{WORD}"}}')
    (tmp_path / "lake/t/_delta_log/.00.json.crc").write_bytes(b"\0\1" + WORD.encode())
    (tmp_path / "lake/tokenizer.json").write_text(WORD)
    # On the seam between two chunks.
    (tmp_path / "lake/long.bin").write_bytes(b"\n" * ((16 << 20) - 3) + WORD.encode())
    (tmp_path / "lake/empty").touch()
    return tmp_path


def test_every_place_is_found_and_no_other(spark: SparkSession, folder: Path) -> None:
    files, found = scan(spark, [folder / "lake"], [WORD, "nobody"], 100)
    assert files == 7
    lake = folder / "lake"
    columns = ("coded", "deep", "facts", "tags")
    named = {(f.path, f.where.split(".")[0]) for f in found}
    assert named == {(str(lake / "t/part-0.snappy.parquet"), c) for c in columns} | {
        (str(lake / p), "bytes") for p in ("t/_delta_log/00.json", "t/_delta_log/.00.json.crc", "long.bin")
    }  # fmt: skip


def test_nothing_is_found_where_nothing_is(spark: SparkSession, folder: Path, tmp_path: Path) -> None:
    assert scan(spark, [folder / "lake"], ["nobody"], 100) == (7, [])
    assert scan(spark, [tmp_path / "none"], [WORD], 100) == (0, [])
    assert len(scan(spark, [folder / "lake"], [WORD], 2)[1]) == 2
    assert isinstance(scan(spark, [folder / "lake"], [WORD], 1)[1][0], Found)
