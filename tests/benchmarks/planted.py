"""Lists, search results, answers, posts, labels, advertisements and searches on the simulated shop: one night.

    make bench-planted

The shop of conf/default.toml in a folder of its own, with the questions of four weeks. Lists and search results are
judged on the 14 days after the night, beside single sources, what searchers chose before, and what is within reach of
whoever knows each customer's tastes and the shop's plans. The rest is judged against
the shop's truth tables, which no stage reads: intents, decisions, the policy that answers a question among the first
five passages, orders of other customers in answers, the fields that records lack, words in advertisements that are
another item's, searches written for an item that say what it is not, and the topics of posts, the one that nobody named
among them. Exit code 0 only where the floors hold and
nothing that lists and search results are compared with is ahead of them.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import re
import shutil
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from deltalake import DeltaTable

from recsynth.apps.ad_texts import whole
from recsynth.measure.intervals import bootstrap_mean
from recsynth.measure.ranking import ndcg
from recsynth.nightly import run_night
from recsynth.session import session
from recsynth.settings import Settings
from recsynth.shop.catalogue import catalogue, described
from recsynth.shop.landing import truth_folder
from recsynth.shop.questions import INTENTS
from recsynth.shop.remarks import NEW_TOPIC
from recsynth.shop.sessions import User
from recsynth.shop.shelves import Stock
from recsynth.shop.words import BRANDS, COLOURS, KINDS, SIZES

AS_OF = date(2025, 4, 17)
# Of each customer's days to come, for the chances that the shop draws purchases by.
DRAWS = 400
FLOORS = {
    "intent, known ones": 0.8, "templates of the right intent": 0.85, "policy among five passages": 0.95,
    "composed from the right source": 0.75, "out of scope handed over": 0.7, "gaps filled rightly": 0.95,
    "written searches true of their item": 0.85, "topic of posts, known ones": 0.9, "sentiment of posts": 0.8,
    "posts on what nobody named that are found": 0.6, "found posts that are on it": 0.9,
}  # fmt: skip
AD_FIGURES = ("coverage", "distinct_1", "distinct_2", "bleu", "chrf", "rouge_l")
LEAKS, UNTRUE = "orders of other customers in answers", "advertisements with a word of another item's"
TOO_LONG = "advertisements over their limit"


def main() -> int:
    """Run the night, print a line a figure, return 1 where a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("data/bench_planted"), help="where the night is written")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    shutil.rmtree(options.folder, ignore_errors=True)
    paths = [f"paths.{name}={options.folder / name}" for name in ("landing", "lake", "report")]
    settings = Settings.load("conf/default.toml", [*paths, "apps.service.shown_days=28"])
    run_night(session("bench_planted", settings.spark), settings, AS_OF)
    lake, truth = Path(settings.paths.lake), truth_folder(Path(settings.paths.landing))
    print(ranked(lake))
    print(within_reach(lake, settings))
    found = [
        *answers(lake, truth),
        *posts(lake, truth),
        *labels(lake, truth),
        *advertisements(lake, settings),
        *searches(lake, settings),
    ]
    print("\nfigure | value | of\n---|---|---")
    for name, value, n in found:
        print(f"{name} | {value:.3f} | {n}")
    faults = [f"{name}: {value:.3f}, expected at least {FLOORS[name]}" for name, value, _ in found
              if name in FLOORS and value < FLOORS[name]]  # fmt: skip
    faults += behind(lake)
    faults += [f"{name}: {value:.0f}" for name, value, _ in found
               if name in (LEAKS, UNTRUE, TOO_LONG) and value]  # fmt: skip
    for fault in faults:
        print(f"MISSED {fault}")
    return 1 if faults else 0


def ranked(lake: Path) -> str:
    """NDCG@10 with its interval of lists and of search results, ours and what they are compared with."""
    lines = ["judged | of | model | NDCG@10 | 95 % | people", "---|---|---|---|---|---"]
    for r in _ndcg(lake).sort_values(["stage", "segment", "value"], ascending=[True, True, False]).itertuples():
        lines.append(
            f"{r.stage} | {r.segment} | {r.model} | {r.value:.3f} | {r.low:.3f} to {r.high:.3f} | {r.count:.0f}"
        )
    return "\n".join(lines)


def within_reach(lake: Path, settings: Settings) -> str:
    """NDCG@10 of the chances that the shop itself draws purchases by, and the share of it that our lists reach.

    The same people, items and days as the stage that judges the lists (recsynth/evaluation/evaluate.py).
    """
    events = DeltaTable(lake / "silver/events").to_pandas(filters=[("event_type", "!=", "return")])
    events = events[~events["is_bot"] & ~events["is_near_duplicate"]]
    days = min(settings.evaluation.days, (settings.shop.start - AS_OF).days + settings.shop.days)
    is_known = events["event_date"] < AS_OF
    is_later = ~is_known & (events["event_date"] < AS_OF + timedelta(days=days)) & (events["event_type"] == "purchase")
    known, later = events[is_known], events[is_later]
    later = later[later["user_id"].isin(known["user_id"]) & later["item_id"].isin(known["item_id"])]
    bought = known[known["event_type"] == "purchase"].groupby("user_id")["item_id"].agg(set)
    stock, items = Stock(settings.shop, settings.seed), set(known["item_id"])
    of_all, of_new = [], []
    for user, wanted in later.groupby("user_id")["item_id"].agg(set).items():
        chances = User(int(user[1:]), stock).chances((AS_OF - settings.shop.start).days, days, DRAWS)
        ordered = sorted(items & chances.keys(), key=lambda item: (-chances[item], item))
        had = bought.get(user, set())
        of_all.append(ndcg(ordered[:10], wanted))
        if wanted - had:
            of_new.append(ndcg([i for i in ordered if i not in had][:10], wanted - had))
    ours = _ndcg(lake).query("stage == 'evaluate' and model == 'recsynth'").set_index("segment")["value"]
    lines = ["", "judged of | within reach | 95 % | people | recsynth's share of it", "---|---|---|---|---"]
    for segment, found in (("all", of_all), ("new", of_new)):
        low, high = bootstrap_mean(np.array(found))
        share = ours[segment] / np.mean(found)
        lines.append(f"{segment} | {np.mean(found):.3f} | {low:.3f} to {high:.3f} | {len(found)} | {share:.3f}")
    return "\n".join(lines)


def behind(lake: Path) -> list[str]:
    """Where a single source, popularity or the choices of earlier searchers alone are ahead."""
    faults = []
    for (stage, segment), part in _ndcg(lake).groupby(["stage", "segment"]):
        values = part.set_index("model")["value"]
        best = values.drop("recsynth").idxmax()
        if segment in ("all", "new", "rare") and values["recsynth"] <= values[best]:
            faults.append(f"{stage}, {segment}: {values['recsynth']:.3f}, {best} has {values[best]:.3f}")
    return faults


def _ndcg(lake: Path) -> pd.DataFrame:
    metrics = DeltaTable(lake / "ops/metrics").to_pandas()
    return metrics[(metrics["metric"] == "ndcg@10") & metrics["stage"].isin(["evaluate", "judge_search"])]


def answers(lake: Path, truth: Path) -> list[tuple[str, float, int]]:
    """Figures of output.service_answers: name, value, how many questions it is of."""
    planted = pd.read_parquet(truth / "tickets").rename(columns={"intent": "true"})
    asked = DeltaTable(lake / "output/service_answers").to_pandas().merge(planted, on="ticket_id")
    new = {i.name for i in INTENTS["en"] if i.is_new}
    known = asked[~asked["is_out_of_scope"] & ~asked["true"].isin(new)]
    templates, composed = known[known["decision"] == "template"], asked[asked["decision"] == "composed"]
    looked = asked[asked["policy"].notna() & (asked["decision"] != "template")]
    outside = asked[asked["is_out_of_scope"]]
    parts = {
        "intent, known ones": known["intent"] == known["true"],
        "known ones answered by a template": known["decision"] == "template",
        "templates of the right intent": templates["intent"] == templates["true"],
        "policy among five passages": [
            _is_among(p, t) for p, t in zip(looked["passages"], looked["policy"], strict=True)
        ],
        "composed from the right source": [
            _is_right(p, policy, true)
            for p, policy, true in zip(composed["sentences"], composed["policy"], composed["true"], strict=True)
        ],
        "out of scope handed over": outside["decision"] == "hand_over",
    }  # fmt: skip
    rows = [(name, float(pd.Series(right, dtype=float).mean()), len(right)) for name, right in parts.items()]
    own = planted.groupby("user_id")["order_id"].agg(set)
    said = asked.dropna(subset=["answer"])
    leaks = sum(
        bool(set(re.findall(r"OU\d+/\d+", a)) - own[u]) for a, u in zip(said["answer"], said["user_id_x"], strict=True)
    )
    return [*rows, (LEAKS, float(leaks), len(said))]


def posts(lake: Path, truth: Path) -> list[tuple[str, float, int]]:
    """Figures of posts that nobody labelled before the night: known topics, sentiment, and the topic that is new."""
    planted = pd.read_parquet(truth / "posts")
    posted = DeltaTable(lake / "silver/posts").to_pandas()
    cutoff = pd.Timestamp(AS_OF, tz="UTC")
    told = posted["labelled_at"].fillna(posted["ts"]) < cutoff
    unread = posted[(posted["ts"] < cutoff) & ~(told & posted["sentiment"].notna())]
    unread = unread.assign(
        content_hash=[hashlib.sha256(" ".join(t.split()).encode()).hexdigest() for t in unread["text"]]
    )
    of = unread.drop(columns=["topic", "sentiment"]).merge(planted, on="post_id")
    models = DeltaTable(lake / "model/classifiers").to_pandas()
    labels = DeltaTable(lake / "model/text_labels").to_pandas()
    said = {}
    for task in ("post_topic", "post_sentiment"):
        version = models[(models["task"] == task) & models["is_champion"]]["model_version"].iloc[-1]
        said[task] = labels[labels["model_version"] == version].set_index("content_hash")
    topics = of.join(said["post_topic"][["label", "probabilities"]], on="content_hash").dropna(subset="label")
    sure = [dict(p)[label] >= 0.6 for p, label in zip(topics["probabilities"], topics["label"], strict=True)]
    topics = topics[pd.Series(sure, index=topics.index) & (topics["topic"] != NEW_TOPIC)]
    moods = of.join(said["post_sentiment"]["label"], on="content_hash").dropna(subset="label")
    found = DeltaTable(lake / "gold/post_topics").to_pandas().set_index("content_hash")
    new = of[of["topic"] == NEW_TOPIC].join(found["topic"].rename("found"), on="content_hash")
    close = of.join(found["topic"].rename("found"), on="content_hash").dropna(subset="found")
    parts = {
        "topic of posts, known ones": topics["label"] == topics["topic"],
        "sentiment of posts": moods["label"] == moods["sentiment"],
        "posts on what nobody named that are found": new["found"].notna(),
        "found posts that are on it": close["topic"] == NEW_TOPIC,
    }
    return [(name, float(right.mean()), len(right)) for name, right in parts.items()]


def _is_among(passages: list[dict[str, str]], policy: str) -> bool:
    return policy in [p["source_id"] for p in passages[:5] if p["kind"] == "policy"]


def _is_right(sentences: list[dict[str, str]], policy: str | None, true: str | None) -> bool:
    """Whether a sentence stands in the policy, in the agents' answer to the true intent, or, of goods, in the item."""
    return any(
        s["source_id"] in (policy, true) or (s["kind"] == "item" and str(true).startswith("item_")) for s in sentences
    )


def labels(lake: Path, truth: Path) -> list[tuple[str, float, int]]:
    """Figures of output.item_labels: fields that records lack, of items that the night knows."""
    found = DeltaTable(lake / "output/item_labels").to_pandas()
    lost = pd.read_parquet(truth / "item_gaps").rename(columns={"value": "true"})
    lost = lost[lost["item_id"].isin(set(found["item_id"]))].merge(found, on=["item_id", "field"], how="left")
    return [
        ("gaps filled", float(lost["value"].notna().mean()), len(lost)),
        ("gaps filled rightly", float((lost["value"] == lost["true"]).mean()), len(lost)),
    ]


def advertisements(lake: Path, settings: Settings) -> list[tuple[str, float, int]]:
    """Figures of output.ad_copy against the words that the shop made each item of."""
    made = DeltaTable(lake / "output/ad_copy").to_pandas()
    untrue = _untrue(made["item_id"], made["text"], settings)
    ads = settings.apps.ads
    too_long = sum(len(t) > ads.longest[s] for s, t in zip(made["slot"], made["text"], strict=True))
    metrics = DeltaTable(lake / "ops/metrics").to_pandas().query("stage == 'ad_copy'")
    named = [(f"{r.metric} of {r.segment}, {r.model}", r.value, int(r.count_)) for r in
             metrics.rename(columns={"count": "count_"}).itertuples() if r.metric in AD_FIGURES]  # fmt: skip
    per_item = made[made["slot"].isin(["headline", "body"])].groupby(["item_id", "slot"]).size()
    return [
        (UNTRUE, float(sum(untrue)), len(made)), (TOO_LONG, float(too_long), len(made)),
        ("three variants", float((per_item == ads.variants).mean()), len(per_item)), *sorted(named),
    ]  # fmt: skip


def searches(lake: Path, settings: Settings) -> list[tuple[str, float, int]]:
    """Figures of synthesis.synthetic_queries: the gate's, and whether they are true by the shop's own words."""
    made = DeltaTable(lake / "synthesis/synthetic_queries").to_pandas()
    untrue = _untrue(made["item_id"], made["query"], settings)
    report = DeltaTable(lake / "synthesis/synthesis_report").to_pandas().query("generator == 'writer'")
    rows = [(f"{r.metric} of written searches", r.value, len(made)) for r in report.dropna(subset="value").itertuples()]
    beside = [
        (f"{r.metric} of people's", r.reference, len(made)) for r in report.dropna(subset="reference").itertuples()
    ]
    items = len(DeltaTable(lake / "gold/item_text").to_pandas())
    return [
        ("written searches true of their item", 1 - float(pd.Series(untrue, dtype=float).mean()), len(made)),
        ("items with a written search", made["item_id"].nunique() / items, items), *sorted(rows), *sorted(beside),
    ]  # fmt: skip


def _untrue(item_ids: pd.Series, texts: pd.Series, settings: Settings) -> list[bool]:
    """Whether a text holds a word of the shop's vocabulary that is not its own item's."""
    language = settings.shop.language
    planted = described(catalogue(settings.shop, settings.seed), language).set_index("item_id")
    words = {*BRANDS[language], *COLOURS[language], *SIZES[language]}
    words |= {w for kind in KINDS[language] for w in (*kind.materials, *kind.uses, kind.noun)}
    found = [re.compile(whole(w.lower())) for w in words]
    own = {i: f"{r.title} {r.description}".lower() for i, r in planted.iterrows()}
    return [any(p.search(t.lower()) and not p.search(own[i]) for p in found)
            for i, t in zip(item_ids, texts, strict=True)]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
