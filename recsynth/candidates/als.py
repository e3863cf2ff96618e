"""ALS: implicit matrix factorisation by MLlib; its factors are multiplied in blocks elsewhere.

Source: Hu, Koren and Volinsky, Collaborative Filtering for Implicit Feedback Datasets, ICDM 2008.
"""

from __future__ import annotations

import numpy as np
from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from recsynth.candidates.settings import ALSSettings


def fit(cells: DataFrame, items: int, settings: ALSSettings, seed: int) -> tuple[DataFrame, np.ndarray]:
    """Factors of users (user_id, als_vector) and of items (M, rank).

    cells: rows (user_id, item, weight) with item an index below M. Never recommendForAllUsers: it joins
    every user with every item. The item factors, M * rank floats, are what reaches the driver.
    """
    numbered = cells.select("user_id").distinct().withColumn("user", F.row_number().over(Window.orderBy("user_id")))
    # One task: MLlib draws its first factors by block, and the order of rows within a block must not matter.
    ratings = cells.join(numbered, on="user_id", how="inner").select("user", "item", "weight").orderBy("user", "item")
    als = ALS(
        rank=settings.rank, maxIter=settings.iterations, regParam=settings.regularisation, alpha=settings.alpha,
        implicitPrefs=True, userCol="user", itemCol="item", ratingCol="weight", seed=seed,
        numUserBlocks=2, numItemBlocks=2,
    )  # fmt: skip
    model = als.fit(ratings)
    factors_MF = np.zeros((items, settings.rank), np.float32)
    for row in model.itemFactors.toLocalIterator():
        factors_MF[row.id] = row.features
    users = model.userFactors.join(numbered, F.col("id") == F.col("user"), how="inner")
    return users.select("user_id", F.col("features").alias("als_vector")), factors_MF
