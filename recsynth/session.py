"""The Spark session of the job: Delta, UTC, Arrow, and the environment's own Python in the workers."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import pyspark
from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from recsynth.settings import SparkSettings

DELTA_PACKAGE = "io.delta:delta-spark_4.2_2.13:" + version("delta-spark")

_DEFAULTS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    # A value that cannot be cast is null and its row set aside: it must not end the night.
    "spark.sql.ansi.enabled": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Tables here are small beside a lake's: replaying a Delta log in 50 tasks would cost more than it saves.
    "spark.databricks.delta.snapshotPartitions": "2",
    # On a local disk without Hadoop's native library the store that Delta takes by default starts a process for each
    # question about a link, several a commit: a fifth of a small night. Both lock within one JVM, the lake has a lock
    # of its own. Other file systems keep their stores.
    "spark.delta.logStore.file.impl": "io.delta.storage.LocalLogStore",
    "spark.databricks.delta.properties.defaults.checkpointInterval": "20",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "8",
    # For each function of a plan, some ten thousand in a small night, PySpark would tell the JVM from which line of
    # Python it came, in several questions more. Which column is wrong is said without.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    # The heap holds the plan of every query of which the UI may be asked: of a night, hundreds of megabytes.
    "spark.sql.ui.retainedExecutions": "50",
    "spark.ui.retainedJobs": "200",
    "spark.ui.retainedStages": "200",
    "spark.ui.retainedTasks": "5000",
    # Adaptive execution writes the whole plan down anew at each of its steps.
    "spark.sql.ui.explainMode": "simple",
    "spark.sql.maxPlanStringLength": "16384",
}


_JARS = Path(pyspark.__file__).parent / "jars"


def _has_delta_jar() -> bool:
    return any(_JARS.glob("delta-spark*.jar"))


def install_delta_jar() -> None:
    """Put Delta's jars beside Spark's own, so that no later run needs a network."""
    if _has_delta_jar():
        return
    with tempfile.TemporaryDirectory() as ivy:
        builder = SparkSession.builder.master("local[1]").config("spark.jars.packages", DELTA_PACKAGE)
        builder.config("spark.jars.ivy", ivy).config("spark.ui.enabled", "false").getOrCreate().stop()
        # The rest of what was resolved ships with Spark already.
        for group in ("io.delta", "io.unitycatalog"):
            for jar in Path(ivy, "jars").glob(f"{group}_*.jar"):
                shutil.copy(jar, _JARS / jar.name.removeprefix(f"{group}_"))


def _given_by_submit() -> set[str] | None:
    """The settings that spark-submit gave; None where no spark-submit started this process."""
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        return None
    SparkContext._ensure_initialized()
    return {key for key, _ in SparkConf().getAll()}


def session(name: str, settings: SparkSettings) -> SparkSession:
    """Get the running session or start one; settings that spark-submit gave are kept.

    The Delta jar lies beside Spark's own after `make install`; elsewhere it is resolved from Maven Central.
    """
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    # glibc keeps up to eight arenas a core of freed memory in each process: Java, workers and trainers inherit this.
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    wanted = {
        "spark.ui.showConsoleProgress": str(sys.stderr.isatty()).lower(),
        "spark.sql.shuffle.partitions": str(settings.shuffle_partitions),
        **_DEFAULTS,
        **settings.extra,
    }
    builder = SparkSession.builder.appName(name)
    given = _given_by_submit()
    if given is None:
        builder = builder.master(settings.master).config("spark.driver.memory", settings.driver_memory)
        if not _has_delta_jar():
            builder = builder.config("spark.jars.packages", DELTA_PACKAGE)
    for key, value in wanted.items():
        if key not in (given or ()):
            builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


if __name__ == "__main__":
    install_delta_jar()
