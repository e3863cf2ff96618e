"""Back-translation on real language: a pair of small Marian models taught by sentence pairs, judged on held-out ones.

    make bench-translation
    python -m tests.benchmarks.translation --data ../shared/data --words 1000 --steps 3000

No translation model can be had without a hub, so a pair is taught here, from English to Mandarin and back, by tatoeba's
sentences of the commonest words. Of 500 that neither has seen: how well each translates, and what comes back, written
as a night writes items in other words; the pretrained language model judges whether it is still the same.
"""

from __future__ import annotations

import argparse
import logging
import platform
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pandas as pd
import sacrebleu

from recsynth.model.text_generator import Generator, read_generator
from recsynth.session import session
from recsynth.settings import Settings, SparkSettings
from recsynth.synthesis.variant_gate import gate_variants
from recsynth.synthesis.write_texts import write_texts
from recsynth.tables.gold import ITEM_TEXT, WINDOW_HISTORIES
from recsynth.tables.synthesis import WRITTEN_TEXTS
from tests.rows import night, table
from tests.synthesis.marian import fit_pair, sentence_pairs

AS_OF, HELD, SHOWN, TOKENS = date(2024, 5, 1), 500, 12, 64


def main() -> int:
    """Print the figures of both models and of what comes back, and some of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="folder of the data sets")
    parser.add_argument("--words", type=int, default=1000, help="commonest English words; sentences of others are left")
    parser.add_argument("--steps", type=int, default=3000, help="steps of each model's training")
    parser.add_argument("--seed", type=int, default=1, help="seed of the training")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    pairs = sentence_pairs(options.data, options.words)
    held, learned = pairs[:HELD], pairs[HELD:]
    with tempfile.TemporaryDirectory() as scratch:
        started = time.monotonic()
        there, back = fit_pair(learned, Path(scratch), options.steps, options.seed)
        print(f"\n{platform.machine()}; {len(learned)} sentences learned from, {HELD} held out, seed {options.seed}, "
              f"{time.monotonic() - started:.0f} s to teach both")  # fmt: skip
        to, fro = read_generator(str(there), "there"), read_generator(str(back), "back")
        _translated("English to Mandarin", to, held["english"], held["mandarin"], "zh")
        _translated("Mandarin to English", fro, held["mandarin"], held["english"], "13a")
        _written(held["english"].tolist(), there, back, Path(scratch) / "lake")
    return 0


def _translated(name: str, model: Generator, read: Iterable[str], wanted: Iterable[str], tokens: str) -> None:
    said = [next(iter(model.write(text, 1, TOKENS, n)), "") for n, text in enumerate(read)]
    bleu = sacrebleu.corpus_bleu(said, [list(wanted)], tokenize=tokens).score
    print(f"{name}: BLEU {bleu:.1f}, chrF {sacrebleu.corpus_chrf(said, [list(wanted)]).score:.1f}")


def _written(texts: list[str], there: Path, back: Path, lake: Path) -> None:
    """What the stage writes of the texts, as of items, and what the gate says of it."""
    spark = session("bench-translation", SparkSettings(master="local[2]", driver_memory="2g", shuffle_partitions=4))
    tonight = night(AS_OF, Settings.model_validate({
        "paths": {"lake": str(lake)},
        "synthesis": {"texts": {"enabled": False},
                      "augment": {"enabled": True, "ways": [], "there": str(there), "back": str(back)}},
    }))  # fmt: skip
    items = table(spark, ITEM_TEXT, [
        {"item_id": f"i{n:03d}", "text": text, "content_hash": f"h{n}", "title": "t", "available": True,
         "first_seen": tonight.cutoff_before(90), "is_cold": True}
        for n, text in enumerate(texts)
    ])  # fmt: skip
    none_before = table(spark, WRITTEN_TEXTS, []).selectExpr("*", f"date'{AS_OF}' as run_date")
    written = write_texts(table(spark, WINDOW_HISTORIES, []), items, none_before, tonight).localCheckpoint()
    for row in gate_variants(written, items, tonight)[1]:
        print(f"{row[1]}: {row[3]}")
    found = written.toPandas()
    for within in (1, 10):
        print(f"finds its own sentence among {within}: {(found['found_rank'] <= within).mean():.3f} of {len(found)}")
    own = pd.Series(texts, [f"i{n:03d}" for n in range(len(texts))])
    shown = found.sample(SHOWN, random_state=0)
    for row in shown.itertuples():
        print(f"  {own[row.source_id]} | {row.text}")


if __name__ == "__main__":
    sys.exit(main())
