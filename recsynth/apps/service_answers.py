"""Service answers: what customers want, taught by agents' notes, and what to tell them, from the record alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.apps.answer_templates import answer_templates, best_fit, filled, with_facts
from recsynth.apps.classify import classifier_in_use, labels_by
from recsynth.apps.passages import Found, Library, Passage, composed, worker_tower
from recsynth.apps.teaching import Task, one_label
from recsynth.apps.text_settings import ServiceSettings
from recsynth.memory import give_back
from recsynth.model.towers import TextTower
from recsynth.stage import Frames, Night
from recsynth.tables.ops import METRICS
from recsynth.tables.output import SERVICE_ANSWERS
from recsynth.texts import as_known, readable

log = logging.getLogger(__name__)

INTENT = "intent"
TEMPLATE, COMPOSED, HAND_OVER = "template", "composed", "hand_over"
_ANSWERS = """source string, ticket_id string, decision string, answer string,
sentences array<struct<text:string,kind:string,source_id:string>>,
passages array<struct<kind:string,source_id:string,score:double>>, reason string"""
Templates = Mapping[str, Sequence[str]]


class Answer(NamedTuple):
    """What is told to a customer, or why nobody is told anything yet.

    sentences: (text, kind of source, its id) of all that is said; passages: where the answer was looked for.
    """

    decision: str
    answer: str | None
    sentences: list[tuple[str, str, str]]
    passages: list[tuple[str, str, float]]
    reason: str


def service_answers(
    tickets: DataFrame, policies: DataFrame, events: DataFrame, items: DataFrame, classifiers: DataFrame,
    text_labels: DataFrame, night: Night,
) -> Frames:  # fmt: skip
    """An intent and an answer for each question of the last `shown_days`, or a hand-over to an agent with its reason.

    Reads silver.tickets, silver.policies, silver.events, silver.items, model.classifiers and model.text_labels;
    writes output.service_answers and ops.metrics. An answer is an agents' template filled from the asker's own
    record, else sentences word for word from policies, from templates that need no filling and from the item asked
    about. Bound on the driver, and sent to every worker: max_passages policies, the first by id, and
    templates_each templates for an intent.
    """
    settings, spark = night.settings.apps.service, tickets.sparkSession
    if not settings.enabled:
        empty = {"service_answers": SERVICE_ANSWERS, "metrics": METRICS}
        return {name: declared.empty(spark) for name, declared in empty.items()}
    known = visible(tickets, night)
    told = with_facts(known.where("answer is not null and intent is not null"), events, items, night)
    templates = _templates(told.where(~F.col("intent").isin(*settings.out_of_scope)), settings)
    best = classifier_in_use(classifiers, INTENT)
    asked = with_facts(asked_lately(known, night), events, items, night).persist()
    labels = labels_by(best, text_labels)
    none = {"label": F.lit(None).cast("string"), "probabilities": F.lit(None).cast("map<string,double>")}
    labelled = asked.withColumns(none) if labels is None else asked.join(labels, on="content_hash", how="left")
    labelled = labelled.withColumn("confidence", F.col("probabilities")[F.col("label")])
    answering = _answering(templates, _passages(policies, templates, settings), night)
    columns = ("source", "ticket_id", "text", "facts", "label", "confidence", "about", "item_title", "item_text")
    answered = labelled.select(*columns).mapInPandas(answering, _ANSWERS)
    asking = labelled.select(
        "source", "ticket_id", "user_id", F.col("ts").alias("asked_at"), F.col("text").alias("question"),
        F.col("label").alias("intent"), "confidence", F.col("answer").isNotNull().alias("is_answered"),
        F.lit(best.model_version if best else None).cast("string").alias("model_version"),
    )  # fmt: skip
    made = asking.join(answered, on=["source", "ticket_id"], how="inner").select(*SERVICE_ANSWERS.column_names)
    made = made.persist()
    return {"service_answers": made, "metrics": _counted(made)}


def intent_task(settings: ServiceSettings) -> Task:
    """What a classifier of intents is taught; figures at `least_confidence`: in_scope_accuracy, out_of_scope_recall.

    The first is the share of questions of known intents that are kept and right, the second of those out of scope
    that are refused.
    """

    def measure(said: np.ndarray, true: np.ndarray, chances: np.ndarray) -> list[tuple[str, float, int]]:
        sure = chances >= settings.least_confidence
        is_outside = np.isin(true, settings.out_of_scope)
        is_kept = sure & ~np.isin(said, settings.out_of_scope)
        right = {"in_scope_accuracy": ((said == true) & is_kept)[~is_outside],
                 "out_of_scope_recall": ~is_kept[is_outside]}  # fmt: skip
        return [(metric, float(part.mean()), len(part)) for metric, part in right.items() if len(part)]

    return Task(INTENT, measure=measure)


def noted_questions(tickets: DataFrame, night: Night) -> DataFrame:
    """Distinct (text, label) of questions whose intent an agent noted before the as-of date."""
    noted = visible(tickets, night).select(readable(F.col("question")).alias("text"), F.col("intent").alias("label"))
    return one_label(noted)


def asked_lately(tickets: DataFrame, night: Night) -> DataFrame:
    """Tickets of the last `shown_days` with `text`, null where there is no word in it, and its hash."""
    recent = tickets.where(F.col("ts") >= F.lit(night.cutoff_before(night.settings.apps.service.shown_days)))
    read = recent.withColumn("text", readable(F.col("question")))
    return read.withColumn("content_hash", F.sha2("text", 256))


def visible(tickets: DataFrame, night: Night) -> DataFrame:
    """Tickets as they stood on the night: what an agent wrote at the cut-off or later is not there."""
    return as_known(tickets, "answered_at", ("answer", "intent"), night)


def answer_to(
    question: str | None, label: str | None, confidence: float, facts: Mapping[str, str], templates: Templates,
    look: Callable[[str], list[Found]], settings: ServiceSettings,
) -> Answer:  # fmt: skip
    """What to tell. question: null where no word is in it; facts: of the asker alone; look: finds passages.

    Whatever the question says, it is compared and never obeyed: what is told stands in a template or a passage.
    """
    if question is None:
        return Answer(HAND_OVER, None, [], [], "There is no word in it.")
    is_sure = label is not None and confidence >= settings.least_confidence and label not in settings.out_of_scope
    if label is not None and is_sure:
        text = best_fit(templates.get(label, ()), facts)
        if text is not None:
            return Answer(TEMPLATE, text, [(text, TEMPLATE, label)], [], f"What agents answer to {label}.")
    found = look(question)
    looked = [(f.passage.kind, f.passage.source_id, round(f.score, 6)) for f in found]
    said = composed(found, settings.least_similarity, settings.similarity_margin, settings.sentences)
    if said:
        sentences = [(text, p.kind, p.source_id) for p, text in said]
        return Answer(COMPOSED, " ".join(text for text, *_ in sentences), sentences, looked, "Found in its sources.")
    why = f"{label} needs a record that is not there." if is_sure else "Nothing was found that answers it."
    return Answer(HAND_OVER, None, [], looked, why)


def _templates(told: DataFrame, settings: ServiceSettings) -> dict[str, list[str]]:
    """Intent to its templates, those first that most customers got."""
    rows = answer_templates(told, settings.least_customers, settings.templates_each).collect()
    ordered = sorted(rows, key=lambda r: (r.intent, -r.customers, r.template))
    return {intent: [r.template for r in ordered if r.intent == intent] for intent in {r.intent for r in ordered}}


def _passages(policies: DataFrame, templates: Templates, settings: ServiceSettings) -> list[Passage]:
    latest = policies.groupBy("source", "policy_id").agg(
        F.max_by(F.struct("title", "text"), F.struct("seen_date", "text_hash")).alias("told")
    )
    rows = latest.orderBy("policy_id", "source").limit(settings.max_passages + 1).collect()
    if len(rows) > settings.max_passages:
        log.warning("policies: only the first %d are looked at (apps.service.max_passages)", settings.max_passages)
        rows = rows[:-1]
    shared = [Passage("policy", r.policy_id, r.told.title or "", r.told.text) for r in rows]
    plain = [(intent, t) for intent, texts in sorted(templates.items()) for t in texts if filled(t, {}) is not None]
    return [*shared, *(Passage("answer", intent, intent.replace("_", " "), t) for intent, t in plain)]


def _answering(
    templates: Templates, passages: list[Passage], night: Night
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    settings, threads = night.settings.apps.service, night.settings.inference.threads
    encoder, max_tokens, size = (getattr(settings.classifier, n) for n in ("encoder", "max_tokens", "batch_size"))

    def answer(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        tower, shared = None, None
        for batch in batches:
            tower = tower or worker_tower(encoder, max_tokens, threads)
            shared = shared or Library.of(passages, tower, size)
            batch = batch.sort_values(["source", "ticket_id"])
            texts = sorted(set(batch["text"].dropna()))
            vectors = dict(zip(texts, tower.encode(texts, size), strict=True)) if texts else {}
            rows = []
            for row in batch.to_dict("records"):
                look = _looking(row, vectors, shared, tower, settings)
                confidence = 0.0 if pd.isna(row["confidence"]) else float(row["confidence"])
                facts = dict(row["facts"])
                given = answer_to(row["text"], row["label"], confidence, facts, templates, look, settings)
                rows.append((row["source"], row["ticket_id"], *given))
            yield pd.DataFrame(rows, columns=["source", "ticket_id", *Answer._fields])
        tower = shared = None
        give_back()

    return answer


def _looking(
    row: Mapping[Any, Any],
    vectors: Mapping[str, np.ndarray],
    shared: Library,
    tower: TextTower,
    settings: ServiceSettings,
) -> Callable[[str], list[Found]]:
    def look(question: str) -> list[Found]:
        text, title = row["item_text"], row["item_title"]
        item = [Passage("item", row["about"], title or "", text)] if text else []
        own = Library.of(item, tower, settings.classifier.batch_size)
        return shared.nearest(vectors[question], settings.passages, own)

    return look


def _counted(made: DataFrame) -> DataFrame:
    """Rows of ops.metrics: questions by what became of them."""
    none = F.lit(None).cast("double")
    counts = made.groupBy("decision").agg(F.count("*").alias("n"))
    return counts.select(
        F.lit("service_answers").alias("stage"), F.lit("questions").alias("metric"), F.lit("").alias("model"),
        F.col("decision").alias("segment"), F.col("n").cast("double").alias("value"), none.alias("low"),
        none.alias("high"), F.col("n").alias("count"),
    )  # fmt: skip
