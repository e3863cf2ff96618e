"""Back-translation with a pair of Marian models that real sentences taught: what comes back still says the same."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import sacrebleu
from pyspark.sql import SparkSession

from recsynth.model.text_generator import read_generator
from recsynth.settings import Settings
from recsynth.synthesis.write_texts import write_texts
from recsynth.tables.gold import ITEM_TEXT, WINDOW_HISTORIES
from recsynth.tables.synthesis import WRITTEN_TEXTS
from tests.rows import night, table
from tests.synthesis.marian import fit_pair, sentence_pairs

HELD, WRITTEN, STEPS = 100, 40, 500


@pytest.mark.slow
def test_real_sentences_come_back_in_other_words(spark: SparkSession, real_data: Path, tmp_path: Path) -> None:
    pairs = sentence_pairs(real_data, known_words=150)
    held, learned = pairs[:HELD], pairs[HELD:]
    there, back = fit_pair(learned, tmp_path, STEPS, seed=1)
    model = read_generator(str(back), "back")
    english = [next(iter(model.write(text, 1, 64, n)), "") for n, text in enumerate(held["mandarin"])]
    # Of sentences that it has not seen: the reference that belongs to each against another's.
    own, other = (
        sacrebleu.corpus_chrf(english, [np.roll(held["english"].to_numpy(object), n).tolist()]).score for n in (0, 1)
    )
    assert own > 1.6 * other

    tonight = night(date(2024, 5, 1), Settings.model_validate({
        "paths": {"lake": str(tmp_path / "lake")},
        "synthesis": {"texts": {"enabled": False},
                      "augment": {"enabled": True, "ways": [], "there": str(there), "back": str(back)}},
    }))  # fmt: skip
    # Both have seen these: models this small know too little for what is new to go there and back.
    texts = learned["english"].head(WRITTEN).tolist()
    items = table(spark, ITEM_TEXT, [
        {"item_id": f"i{n:02d}", "text": text, "content_hash": f"h{n}", "title": "t", "available": True,
         "first_seen": tonight.cutoff_before(90), "is_cold": True}
        for n, text in enumerate(texts)
    ])  # fmt: skip
    none_before = table(spark, WRITTEN_TEXTS, []).selectExpr("*", "date'2024-05-01' as run_date")
    found = write_texts(table(spark, WINDOW_HISTORIES, []), items, none_before, tonight).toPandas()
    assert set(found["kind"]) == {"back_translation"}
    assert found["source_id"].nunique() > 0.8 * WRITTEN
    assert not set(found["text"]) & set(texts)
    # By chance a text would find its own sentence among the first five in one of eight cases.
    assert (found["found_rank"] <= 5).mean() > 0.35
