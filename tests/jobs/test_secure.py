"""conf/spark-secure.conf: Spark starts with it, works, and shows no secret."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLANTED = "planted-4711"
PROGRAM = """
from pyspark.sql import functions as F

from recsynth.session import session
from recsynth.settings import SparkSettings

spark = session("secure", SparkSettings(shuffle_partitions=2))
rows = spark.range(100).withColumn("to", F.lit("jo@example.org")).repartition(2, "id")
summed = rows.groupBy("to").applyInPandas(lambda f: f.head(1).assign(id=f["id"].sum()), "id bigint, to string")
print("sum", summed.first()["id"])
plan = rows._jdf.queryExecution().toString()
print("in plan", "jo@example.org" in plan, "redacted" in plan)
shown = {r.key: r.value for r in spark.sql("SET").collect()}
print("secret", shown["spark.hadoop.fs.s3a.secret.key"])
print("kept", shown["spark.io.encryption.enabled"], shown["spark.authenticate"], shown["spark.network.crypto.enabled"])
"""


@pytest.mark.slow
def test_spark_works_with_it_and_shows_no_secret(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    submit = Path(sys.executable).with_name("spark-submit")
    words = [submit, "--master", "local[2]", "--properties-file", ROOT / "conf/spark-secure.conf",
             "--conf", f"spark.hadoop.fs.s3a.secret.key={PLANTED}", program]  # fmt: skip
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-4:] == [
        "sum 4950", "in plan False True", "secret *********(redacted)", "kept true true true",
    ]  # fmt: skip
    assert PLANTED not in done.stdout + done.stderr
