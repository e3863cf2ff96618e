"""What the sessions of tests have in common, those of processes of their own too."""

from __future__ import annotations

from recsynth.settings import SparkSettings

# Planning a query anew after each of its steps costs more than tables of a few rows give back.
# So does a class of its own for each query, written in Java and compiled twice: it is interpreted here.
PLANNING = {
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.ui.enabled": "false",
}
# A collector that works beside the program wants a core of its own; there are two, and pauses trouble no test.
COLLECTOR = "-XX:+UseParallelGC"
# What lives for half a minute earns nothing back of what the second compiler costs.
SHORT_LIVED = f"{COLLECTOR} -XX:TieredStopAtLevel=1"


def small(master: str, memory: str, java: str, **extra: str) -> SparkSettings:
    """Settings of a session on tables of a few rows; `java`: options of its virtual machine."""
    options = {**PLANNING, "spark.driver.extraJavaOptions": java, **extra}
    return SparkSettings(master=master, driver_memory=memory, shuffle_partitions=2, extra=options)
