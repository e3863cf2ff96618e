"""How good advertisements are: how much they tell, how varied they are, how like what the shop itself writes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from recsynth.apps.ad_texts import pieces
from recsynth.apps.ad_writer import DESCRIPTION, SLOTS, Book, record_of, texts_of
from recsynth.apps.text_settings import AdSettings
from recsynth.measure.texts import distinct_n, rouge_l

OURS, LISTED, TITLE_ALONE = "recsynth", "record_listed", "title"
Figure = tuple[str, str, str, float, int]


def of_texts(made: DataFrame, settings: AdSettings) -> list[Figure]:
    """Rows (metric, model, slot, value, count): coverage, within_limits, distinct_1 and distinct_2, variants.

    coverage: mean share of the record's facts, weighted by what customers look for, that the first variant tells.
    Distinct n-grams are over at most judged_items items' texts.
    """
    most = F.create_map(*(F.lit(x) for pair in settings.longest.items() for x in pair))[F.col("slot")]
    rows = made.groupBy("slot").agg(
        F.avg(F.when(F.col("variant") == 1, F.round("score", 6))).alias("coverage"),
        F.avg((F.length("text") <= most).cast("double")).alias("within_limits"),
        F.count_if(F.col("variant") == 1).alias("items"), F.count("*").alias("texts"),
    ).collect()  # fmt: skip
    some = made.select("item_id").distinct().orderBy(F.xxhash64("item_id"), "item_id").limit(settings.judged_items)
    drawn = made.join(some, on="item_id", how="left_semi").select("slot", "text").toPandas()
    found: list[Figure] = []
    for row in sorted(rows, key=lambda r: SLOTS.index(r.slot)):
        words = [pieces(text) for text in drawn.loc[drawn["slot"] == row.slot, "text"]]
        found += [
            ("coverage", OURS, row.slot, round(row.coverage, 6), row["items"]),
            ("within_limits", OURS, row.slot, row.within_limits, row.texts),
            ("variants", OURS, row.slot, row.texts / row["items"], row["items"]),
            *((f"distinct_{n}", OURS, row.slot, distinct_n(words, n), len(words)) for n in (1, 2)),
        ]
    return found


def held_out(drawn: pd.DataFrame, book: Book, settings: AdSettings) -> list[Figure]:
    """BLEU, chrF (sacrebleu, 0 to 100) and ROUGE-L (0 to 1) of descriptions written without the shop's own.

    drawn: records of held-out items, none of whose sentences is in the book. Beside ours: the title alone, and the
    title with the record's values after it.
    """
    references: list[str] = []
    texts: dict[str, list[str]] = {OURS: [], LISTED: [], TITLE_ALONE: []}
    for row in drawn.to_dict("records"):
        of_title = {k: v for k, v in dict(row["inferred"] or {}).items() if v["found_in"] == "title"}
        record = record_of({**row, "description": "", "inferred": of_title}, settings)
        ours = [t.text for t in texts_of(record, book, settings) if t.slot == DESCRIPTION]
        references.append(row["description"])
        texts[OURS].append(ours[0] if ours else "")
        texts[LISTED].append(
            f"{row['title']}. " + ", ".join(f"{k} {v}" for k, v in sorted(dict(row["fields"]).items()))
        )
        texts[TITLE_ALONE].append(row["title"])
    if not references:
        return []
    tokens = "zh" if settings.language == "zh" else "13a"
    found: list[Figure] = []
    for model, said in texts.items():
        rouge = [rouge_l(pieces(a), pieces(b)) for a, b in zip(said, references, strict=True)]
        found += [
            ("bleu", model, DESCRIPTION, BLEU(tokenize=tokens).corpus_score(said, [references]).score, len(said)),
            ("chrf", model, DESCRIPTION, CHRF().corpus_score(said, [references]).score, len(said)),
            ("rouge_l", model, DESCRIPTION, float(np.mean(rouge)), len(said)),
        ]
    return found
