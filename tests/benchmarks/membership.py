"""Who was learned from? Attacks on what a night of Online Retail lets out: the language model, the lists of like items.

    make bench-membership                      # as of 2011-10-15, three seeds
    make bench-membership ARGS="--seeds 1"

A night learns from half of the customers, drawn by the seed. An attacker has its model and `output.similar_items`,
which name nobody, and the history of a customer as of the cut-off that training ends at, and asks whether it was among
those learned from. Three scores: how likely the model finds each half of the history's items after the other half; how
much likelier than the encoder as it came finds them; how near the history's items stand to each other in the lists. An
AUC of 0.5 tells nothing. Items that one half alone has seen are left out, so that it is the people who are told apart.
Exit code 0 only where the worst score's mean over the seeds is not above what is asked for.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import platform
import sys
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import torch
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.measure.discrimination import auc
from recsynth.model.champion import champion
from recsynth.model.folder import read_model
from recsynth.model.towers import MatchModel
from recsynth.nightly import run_night
from recsynth.session import session
from recsynth.settings import Settings
from recsynth.store import Store
from recsynth.tables.gold import ITEM_TEXT, WINDOW_HISTORIES, WINDOW_INTERACTIONS, WINDOW_LABELS
from recsynth.tables.model import MODELS
from recsynth.tables.output import SIMILAR_ITEMS
from recsynth.tables.synthesis import AUGMENTED_TEXTS
from recsynth.training.process import starting_model
from recsynth.training.shards import Batch, Texts, read_texts, sampled_positives, user_batches
from recsynth.training.train import write_shards
from tests.benchmarks.model import needed

ALLOWED = 0.55
SEEDS = (20111015, 1, 2)
LEARNED, OTHERS = "learned", "others"
KNOWN = {WINDOW_HISTORIES.name, WINDOW_LABELS.name, ITEM_TEXT.name}


def main() -> int:
    """Attack the night of each seed, print a line each, and return 1 where the worst attack tells too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder with a CSV a day")
    parser.add_argument("--as-of", default="2011-10-15", help="as-of date")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS, help="seeds of the halves and of the nights")
    parser.add_argument("--config", default="conf/online_retail.toml", help="settings of the night")
    parser.add_argument("--set", nargs="*", default=[], help="settings changed, as section.key=value")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    found = pd.DataFrame([_attacked(seed, options) for seed in options.seeds], index=options.seeds)
    worst = found.drop(columns="customers").max(axis=1).mean()
    print(f"\n## {options.as_of}, {platform.machine()}: AUC of who was learned from, a seed each\n")
    print(found.to_string(float_format="%.3f"))
    print(f"worst of each seed, mean {worst:.3f}; at most {ALLOWED} is asked for")
    if worst > ALLOWED:
        print(f"MISSED expected at most {ALLOWED}, found {worst:.3f}")
    return int(worst > ALLOWED)


def _attacked(seed: int, options: argparse.Namespace) -> dict[str, float]:
    """AUC of each attack, and how many customers were asked about."""
    as_of = date.fromisoformat(options.as_of)
    with tempfile.TemporaryDirectory() as scratch:
        folder, stores = Path(scratch), {}
        halved(options.data, folder, seed)
        for half, read in ((LEARNED, {MODELS.name, SIMILAR_ITEMS.name} | KNOWN), (OTHERS, KNOWN)):
            places = [f"paths.{name}={folder / half / name}" for name in ("landing", "lake", "report")]
            settings = Settings.load(options.config, [*places, f"seed={seed}", *options.set])
            spark = session("membership", settings.spark)
            run_night(spark, settings, as_of, stages=needed(read))
            stores[half] = Store(spark, settings.paths.lake)
        asked = {half: _shards(stores, half, as_of, folder / "shards" / half) for half in stores}
        texts = read_texts(folder / "shards" / LEARNED)
        row = champion(stores[LEARNED].read(MODELS))
        assert row is not None
        tuned = read_model(folder / LEARNED / "lake" / row.path)
        plain = starting_model("", folder / "shards" / LEARNED, settings.training).eval()
        listed = stores[LEARNED].read_night(SIMILAR_ITEMS, as_of).toPandas()
        nearness_MM = _nearness(listed, folder / "shards" / LEARNED, texts)
        length = settings.training.history_length
        scores = {half: _scores(path, texts, (tuned, plain), nearness_MM, length) for half, path in asked.items()}
        both = pd.concat(scores, names=["half"]).dropna()
        was_learned = (both.index.get_level_values("half") == LEARNED).astype(int)
        return {name: auc(both[name].to_numpy(), was_learned)[0] for name in both} | {"customers": len(both)}


def halved(data: Path, folder: Path, seed: int) -> None:
    """The raw files twice, each with one half of the customers."""
    for path in sorted(data.glob("*.csv")):
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
        is_learned = rows["CustomerID"].map(lambda user: hashlib.sha256(f"{seed}/{user}".encode()).digest()[0] % 2 == 0)
        for half, kept in ((LEARNED, is_learned), (OTHERS, ~is_learned)):
            (folder / half / "landing").mkdir(parents=True, exist_ok=True)
            rows[kept].to_csv(folder / half / "landing" / path.name, index=False)


def _shards(stores: dict[str, Store], half: str, as_of: date, folder: Path) -> Path:
    """Histories of one half as training reads them, with the texts of items that both have seen."""
    # The same texts for both halves: what is as new to the one as to the other tells nothing of people.
    items = stores[LEARNED].read_night(ITEM_TEXT, as_of).join(_seen(stores[LEARNED], as_of), "item_id", "left_semi")
    items = items.join(_seen(stores[OTHERS], as_of), "item_id", "left_semi")
    windows = [stores[half].read_night(t, as_of) for t in (WINDOW_HISTORIES, WINDOW_INTERACTIONS, WINDOW_LABELS)]
    write_shards(folder, *windows, items, stores[half].read_night(AUGMENTED_TEXTS, as_of))
    return folder


def _seen(store: Store, as_of: date) -> DataFrame:
    """Items in histories as of the earliest cut-off."""
    histories = store.read_night(WINDOW_HISTORIES, as_of)
    first = histories.agg(F.min("cutoff")).first()
    assert first is not None
    events = histories.where(F.col("cutoff") == F.lit(first[0])).select(F.explode("events").alias("e"))
    return events.select("e.item_id").distinct()


def _nearness(listed: pd.DataFrame, shards: Path, texts: Texts) -> np.ndarray:
    """(M, M) the score at which an item lists another as like it, 0 where it does not."""
    table = ds.dataset(shards / "texts", format="parquet").to_table(columns=["kind", "key", "index"]).to_pandas()
    place = table[table["kind"] == "item"].set_index("key")["index"]
    known = listed[listed["item_id"].isin(place.index) & listed["similar_item_id"].isin(place.index)]
    nearness_MM = np.zeros((texts.items, texts.items), np.float32)
    nearness_MM[place[known["item_id"]], place[known["similar_item_id"]]] = known["score"]
    return nearness_MM


def _scores(
    folder: Path, texts: Texts, models: tuple[MatchModel, MatchModel], nearness_MM: np.ndarray, length: int
) -> pd.DataFrame:
    """One row a customer: each attack's score, higher where it says that the customer was learned from."""
    users = ds.dataset(folder / "users", format="parquet").count_rows()
    batch = next(user_batches(folder, 0, 1, users, length, 0))
    tuned_U, plain_U = (likelihood(model, texts, batch) for model in models)
    near_U = np.full(users, np.nan)
    for row, (types_L, texts_L) in enumerate(zip(batch.types_BL, batch.texts_BL, strict=True)):
        own = np.unique(texts_L[(types_L > 0) & (texts_L < texts.items)])
        if len(own) > 1:
            near_U[row] = nearness_MM[np.ix_(own, own)].sum() / (len(own) * (len(own) - 1))
    return pd.DataFrame({"likelihood": tuned_U, "against the encoder": tuned_U - plain_U, "like items": near_U})


@torch.no_grad()
def likelihood(model: MatchModel, texts: Texts, batch: Batch) -> np.ndarray:
    """(U,) mean log-chance of a customer's items, those of each half of the catalogue after those of the other.

    As in training, what is asked for is hidden from the history; NaN where one half of it is empty.
    """
    vectors = torch.from_numpy(model.text.encode(texts.texts))
    sums_U, counts_U = np.zeros(len(batch.texts_BL)), np.zeros(len(batch.texts_BL))
    is_whole_U = np.ones(len(batch.texts_BL), bool)
    for half in (0, 1):
        items_M = np.arange(half, texts.items, 2)
        positives_UM, hidden_UL = sampled_positives(batch, items_M, texts.items)
        types_UL = np.where(hidden_UL, 0, batch.types_BL)
        is_whole_U &= (types_UL > 0).any(1) & positives_UM.any(1)
        read = (vectors[torch.from_numpy(batch.texts_BL)], torch.from_numpy(types_UL), torch.from_numpy(batch.ages_BL))
        logs_UM = model.logits(model.user(*read), vectors[items_M]).log_softmax(1).numpy()
        sums_U += (logs_UM * positives_UM).sum(1)
        counts_U += positives_UM.sum(1)
    return np.where(is_whole_U, sums_U / np.maximum(counts_U, 1), np.nan)


if __name__ == "__main__":
    sys.exit(main())
