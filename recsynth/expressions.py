"""SQL expressions that the settings carry: what they name, and that they can be read at all."""

from __future__ import annotations

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from recsynth.errors import InputError


def references(expression: str, where: str) -> set[str]:
    """The names of the columns that a Spark SQL expression reads.

    Raises InputError that names `where` if Spark cannot parse it.
    """
    parser = SparkSession.active()._jsparkSession.sessionState().sqlParser()
    try:
        leaves = parser.parseExpression(expression).collectLeaves().iterator()
    except (PySparkException, Py4JError) as error:
        raise InputError(where, "a Spark SQL expression", repr(expression)) from error
    names = set()
    while leaves.hasNext():
        leaf = leaves.next()
        if leaf.getClass().getSimpleName() == "UnresolvedAttribute":
            names.add(str(leaf.nameParts().head()))
    return names
