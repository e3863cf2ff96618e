"""Posts whose topic nobody knows, gathered into topics that are new."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.apps.opinions import looked_at
from recsynth.apps.passages import worker_tower
from recsynth.apps.posts import posted_lately, with_known_topic
from recsynth.apps.topics import Spoken, Topic, kept_names, nearest, topics_of
from recsynth.memory import give_back
from recsynth.stage import Frames, Night
from recsynth.tables.gold import POST_TOPICS
from recsynth.tables.output import FOUND_TOPICS

_VECTORS = "content_hash string, text string, is_recent boolean, vector array<float>"
KNOWN_TEXTS = 500
Batches = Iterator[pd.DataFrame]


def find_topics(
    posts: DataFrame, classifiers: DataFrame, text_labels: DataFrame, found_topics: DataFrame, night: Night
) -> Frames:
    """Topics among the posts of the last days whose topic nobody told and no classifier is quite sure of.

    Reads silver.posts, model.classifiers, model.text_labels and output.found_topics of earlier nights; writes
    output.found_topics and gold.post_topics, which of the posts' texts belong to one. A topic that was there the night
    before keeps its name. Bound on the driver: max_texts texts with their vectors, and KNOWN_TEXTS whose topic is
    known; all texts are compared with the topics on the executors.
    """
    spark, apps = posts.sparkSession, night.settings.apps
    made = {"post_topics": POST_TOPICS.empty(spark),
            "found_topics": FOUND_TOPICS.empty(spark)}  # fmt: skip
    settings = apps.posts.found
    if not (apps.opinions.enabled and apps.posts.enabled and settings.enabled):
        return made
    posted = posted_lately(posts, looked_at(apps.opinions), night)
    known_topic = with_known_topic(posted, classifiers, text_labels, night, is_strict=True)
    read = known_topic.where("text is not null").persist()
    # Only what is spoken of now can be a new topic; what was said of it before is its usual.
    is_recent = F.max(F.col("ts") >= F.lit(night.cutoff_before(settings.days)))
    texts = read.where("topic is null").groupBy("content_hash").agg(
        F.first("text").alias("text"), is_recent.alias("is_recent")
    )  # fmt: skip
    vectors = _encoded(texts, night).persist()
    drawn = _drawn(vectors.where("is_recent"), settings.max_texts, night).toPandas()
    if drawn.empty:
        return made
    others = read.where("topic is not null").select("content_hash", "text", F.lit(True).alias("is_recent")).distinct()
    known = _encoded(_drawn(others, KNOWN_TEXTS, night), night).toPandas().sort_values("content_hash")
    topics = topics_of(_spoken(drawn), _spoken(known), settings)
    if not topics:
        return made
    before = _before(found_topics)
    centres = [(name, np.array(centre, np.float32)) for name, (centre, _) in sorted(before.items())]
    names = kept_names(topics, centres, settings.same_from)
    rows = [(name, list(t.words), t.texts, before[name][1] if name in before else night.as_of, list(t.examples),
             t.centre_D.tolist(), t.reach) for name, t in zip(names, topics, strict=True)]  # fmt: skip
    near = vectors.mapInPandas(_comparing(names, topics), POST_TOPICS.schema)
    return {"post_topics": near, "found_topics": spark.createDataFrame(rows, FOUND_TOPICS.schema)}


def _drawn(texts: DataFrame, most: int, night: Night) -> DataFrame:
    """At most `most` rows by hash, in its order: the same whatever the partitions."""
    seed = F.lit(night.seed("find_topics"))
    return texts.orderBy(F.xxhash64(seed, "content_hash"), "content_hash").limit(most)


def _encoded(texts: DataFrame, night: Night) -> DataFrame:
    spread = texts.repartition(texts.sparkSession.sparkContext.defaultParallelism, "content_hash")
    return spread.mapInPandas(_encoding(night), _VECTORS)


def _spoken(rows: pd.DataFrame) -> Spoken:
    vectors = np.stack(rows["vector"].to_list()) if len(rows) else np.zeros((0, 0), np.float32)
    return Spoken(rows["text"].tolist(), vectors)


def _before(found_topics: DataFrame) -> dict[str, tuple[list[float], object]]:
    """Centre and first night of the topics of the newest night before; at most max_topics."""
    last = found_topics.agg(F.max("run_date")).first()
    if last is None or last[0] is None:
        return {}
    rows = found_topics.where(F.col("run_date") == F.lit(last[0])).select("topic", "centre", "since")
    return {r.topic: (r.centre, r.since) for r in rows.collect()}


def _encoding(night: Night) -> Callable[[Batches], Batches]:
    """The mapInPandas function that gives each text the encoder's vector, as it came."""
    settings, threads = night.settings.apps.posts.topic.classifier, night.settings.inference.threads

    def encode(batches: Batches) -> Batches:
        tower = None
        for batch in batches:
            # Lengths decide what is padded together: in one order whatever the shuffle's.
            batch = batch.sort_values("content_hash")
            tower = tower or worker_tower(settings.encoder, settings.max_tokens, threads)
            vectors = tower.encode(batch["text"].tolist(), settings.batch_size)
            # Rounded: the last digits depend on what a text is padded with.
            yield batch.assign(vector=list(np.round(vectors, 5)))
        del tower
        give_back()

    return encode


def _comparing(names: Sequence[str], topics: Sequence[Topic]) -> Callable[[Batches], Batches]:
    """The mapInPandas function that keeps the texts within reach of a topic, with its name and the cosine."""
    centres, reach = np.stack([t.centre_D for t in topics]), np.array([t.reach for t in topics])

    def compare(batches: Batches) -> Batches:
        for batch in batches:
            if batch.empty:
                continue
            best, cosine = nearest(np.stack(batch["vector"].to_list()), centres, reach)
            close = batch.assign(topic=[names[i] for i in best], similarity=cosine.round(4).astype(float))[best >= 0]
            yield close[["content_hash", "topic", "similarity"]]

    return compare
