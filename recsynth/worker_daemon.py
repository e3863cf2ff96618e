"""PySpark's Python daemon with the heavy imports done once, before it forks its workers.

A worker that imports pandas and torch for itself needs seconds of a core before its first row, in every stage that
starts one. See `spark.python.daemon.module` in Spark's configuration. Nothing here starts a thread, so forking is safe.
"""

from __future__ import annotations

import pandas  # noqa: F401
import pyarrow  # noqa: F401
import scipy.sparse  # noqa: F401
import torch  # noqa: F401
import transformers  # noqa: F401
from pyspark.daemon import manager

if __name__ == "__main__":
    manager()
