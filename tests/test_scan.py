"""The scan finds a word wherever a file can hold it, and nothing that only looks like it."""

from __future__ import annotations

import json
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


def test_a_number_of_the_log_is_nobodys_id_and_a_text_in_it_is(spark: SparkSession, tmp_path: Path) -> None:
    log = tmp_path / "t/_delta_log"
    log.mkdir(parents=True)
    own = json.dumps({"numRecords": 17850, "minValues": {"raw": '{"user":17850}', "n": 17850}})
    other = json.dumps({"numRecords": 17850, "minValues": {"raw": "178", "n": 17850}})
    for name, stats in (("01.json", own), ("02.json", other)):
        (log / name).write_text(json.dumps({"add": {"path": "p", "size": 17850, "stats": stats}}) + "\n")
    (log / "02.crc").write_text('{"tableSizeBytes":17850}')
    (log / "03.json").write_text("torn 17850")
    pq.write_table(pa.table({"add": [{"size": 17850, "stats": other}]}), log / "04.checkpoint.parquet")
    pq.write_table(pa.table({"add": [{"size": 17850, "stats": own}]}), log / "05.checkpoint.parquet")
    pq.write_table(pa.table({"n": [17850], "raw": ['{"user":17851}']}), tmp_path / "t/part-0.parquet")
    pq.write_table(pa.table({"n": [1], "raw": ['{"user":17850}']}), tmp_path / "t/part-1.parquet")
    _, found = scan(spark, [tmp_path], ["17850"], 100)
    assert {(f.path.rsplit("/", 1)[1], f.where.split(".")[0]) for f in found} == {
        ("01.json", "bytes"),
        ("03.json", "bytes"),
        ("05.checkpoint.parquet", "add"),
        ("part-1.parquet", "raw"),
    }
