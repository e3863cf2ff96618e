"""Synthesis: what was synthesised, and what the gates found; never mixed into a table of real data."""

from __future__ import annotations

from recsynth.tables.table import Column, Table, column

SYNTHETIC_HISTORIES = Table(
    name="synthesis.synthetic_histories",
    grain="one row per (generator, synthetic user): what each generator drew, before any gate",
    writer="synthesise",
    key=("generator", "user_id"),
    columns=(
        column("generator", "string", "`gan`, or a baseline: `gaussian`, `independent`"),
        column("user_id", "string", "`synthetic-` and a number; no real user's"),
        column("segment", "string", "light, middle or heavy: the third of the learning half that its activity is of"),
        column("items", "array<string>", "item ids, each once, in their order", "size(items) > 0"),
        column("model_version", "string", "the generator's folder below _models"),
        column("seed", "bigint", "with the as-of date and user_id it decides the row"),
        column("source_version", "bigint", "Delta version of gold.interactions that the generator learned from"),
    ),
)

SYNTHETIC_INTERACTIONS = Table(
    name="synthesis.synthetic_interactions",
    grain="one row per (synthetic user, item) of the generator that is meant for training",
    writer="gate",
    key=("user_id", "item_id"),
    columns=(
        column("user_id", "string", "`synthetic-` and a number; no real user's"),
        column("item_id", "string", "an item of gold.interactions; the synthetic user has it: R_ij = 1"),
        *(
            c
            for c in SYNTHETIC_HISTORIES.columns
            if c.name in ("generator", "segment", "model_version", "seed", "source_version")
        ),
        column(
            "verdict",
            "string",
            "of the whole batch: failed data are not for training",
            "verdict in ('passed', 'failed')",
        ),
        column(
            "training_weight",
            "double",
            "of the row where `candidates` learns item weights; 0: not trained on, failed or no help",
            "training_weight >= 0 and (training_weight = 0 or verdict = 'passed')",
        ),
    ),
)

WRITTEN_TEXTS = Table(
    name="synthesis.written_texts",
    grain="one row per (kind, source, text) that was written, before any gate",
    writer="write_texts",
    key=("kind", "source_id", "text"),
    columns=(
        column(
            "kind",
            "string",
            "`query`: what one might search for; the item in other words: `typos`, `missing`, `synonyms`, `infill`, "
            "`paraphrase`, `back_translation`",
            "kind in ('query', 'typos', 'missing', 'synonyms', 'infill', 'paraphrase', 'back_translation')",
        ),
        column("source_id", "string", "the item that it was written of"),
        column("content_hash", "string", "of the item's text as it was then"),
        column("text", "string", "a search in lower case", "text <> ''"),
        column("draws", "int", "how many of the draws said it", "draws >= 1"),
        column(
            "found_rank",
            "int",
            "place of its own item by likeness to the text, when it was written",
            "found_rank >= 1",
        ),
        column(
            "model_version",
            "string",
            "who wrote: a folder below _models, `generator-` and a folder's name, or `noise-` and its settings",
        ),
        column("taught", "date", "as-of date of the night that taught who wrote; of noise, of the night that wrote"),
        column("seed", "bigint", "with content_hash and model_version it decides the row"),
        column(
            "source_version", "bigint", "Delta version of gold.window_histories, or of gold.item_text, that was read"
        ),
    ),
)

SYNTHETIC_QUERIES = Table(
    name="synthesis.synthetic_queries",
    grain="one row per (query, item): a search that was written for an item and finds it",
    writer="gate",
    key=("query", "item_id"),
    columns=(
        column("query", "string", "as in gold.query_items"),
        column("item_id", "string", "the item that it was written of, and that it finds"),
        column("generator", "string", "`writer`"),
        *(
            c
            for c in WRITTEN_TEXTS.columns
            if c.name in ("draws", "found_rank", "model_version", "taught", "seed", "source_version")
        ),
        column("verdict", "string", "of the whole batch: failed data are not used", "verdict in ('passed', 'failed')"),
        column(
            "training_weight",
            "double",
            "of what is searched for beside the item's own text in search_results; 0: not used, failed or no help",
            "training_weight >= 0 and (training_weight = 0 or verdict = 'passed')",
        ),
    ),
)

AUGMENTED_TEXTS = Table(
    name="synthesis.augmented_texts",
    grain="one row per (item, way, text): an item in other words that still finds itself",
    writer="gate",
    key=("item_id", "generator", "text"),
    columns=(
        column("item_id", "string", "the item"),
        column("generator", "string", "the way: a `kind` of synthesis.written_texts but `query`"),
        *(
            c
            for c in WRITTEN_TEXTS.columns
            if c.name in ("content_hash", "text", "found_rank", "model_version", "seed", "source_version")
        ),
        column(
            "verdict", "string", "of the way as a whole: failed data are not used", "verdict in ('passed', 'failed')"
        ),
        column(
            "training_weight",
            "double",
            "chance of the item to be read in other words in a step of `train`; 0: not trained on",
            "training_weight >= 0 and (training_weight = 0 or verdict = 'passed')",
        ),
    ),
)

SYNTHESIS_REPORT = Table(
    name="synthesis.synthesis_report",
    grain="one row per (generator, metric)",
    writer="gate",
    key=("generator", "metric"),
    columns=(
        column(
            "generator",
            "string",
            "what was judged: a generator of synthetic_histories; or a control that must fail, `resampled` (real "
            "people drawn again) or `shuffled` (what the GAN drew, dealt anew)",
        ),
        column("metric", "string", "such as popularity or membership; meanings: recsynth/synthesis/judge.py"),
        column(
            "kind",
            "string",
            "what it is about",
            "kind in ('fidelity', 'utility', 'privacy', 'bias', 'input')",
        ),
        column("value", "double?", "of the synthetic data against the hold-out half; null where there are none"),
        column("reference", "double?", "the same of the learning half, real people, against the hold-out half"),
        column("threshold", "double?", "the bound of the settings; null: reported alone"),
        column("passed", "boolean?", "null where there is no threshold"),
        column("reason", "string?", "why nothing could be measured"),
    ),
)


def _made_from(source: str) -> tuple[Column, ...]:
    """What made a row of a synthetic table: the columns that all of them end with."""
    return (
        column("model_version", "string", "the generators' folder below _models"),
        column("seed", "bigint", "with the as-of date and the row's id it decides the row"),
        column("source_version", "bigint", f"Delta version of {source} that was learned from"),
        column("verdict", "string", "of the whole batch", "verdict in ('passed', 'failed')"),
    )


SYNTHETIC_USERS = Table(
    name="synthesis.synthetic_users",
    grain="one row per synthetic user of the generator `gan`",
    writer="synthesise_tables",
    key=("user_id",),
    columns=(
        column("user_id", "string", "as in synthesis.synthetic_histories"),
        column("segment", "string", "light, middle or heavy, as there"),
        column("country", "string?", "one that enough real users have"),
        column("items", "int", "different items", "items > 0"),
        column("visits", "int", "sessions", "visits > 0"),
        column("first_date", "date", "shop-local day of the first"),
        column("last_date", "date", "of the last"),
        *_made_from("silver.events"),
    ),
)

SYNTHETIC_EVENTS = Table(
    name="synthesis.synthetic_events",
    grain="one row per event of a synthetic user; columns are named as in silver.events",
    writer="synthesise_tables",
    key=("event_id",),
    columns=(
        column("event_id", "string", "the user's id and a number"),
        column("user_id", "string", "of synthesis.synthetic_users"),
        column("item_id", "string?", "of that user's synthetic history; null for a search"),
        column(
            "event_type",
            "string",
            "what was done",
            "event_type in ('search', 'view', 'click', 'cart', 'purchase', 'rating')",
        ),
        column("ts", "timestamp", "when, UTC; before the as-of date"),
        column("event_date", "date", "that day in the shop's time zone"),
        column("query", "string?", "of a search: one that enough real users typed"),
        column("quantity", "int?", "units of a purchase", "quantity > 0"),
        column("price", "decimal(18,4)?", "the item's own unit price in `currency`", "price >= 0"),
        column("currency", "string?", "ISO 4217"),
        column("rating", "double?", "stars, 1 to 5", "rating between 1 and 5"),
        column("session_id", "string", "the visit"),
        column("order_id", "string?", "of a purchase: all of a visit are one order"),
        column("country", "string?", "the user's"),
        *_made_from("silver.events"),
    ),
)

SYNTHETIC_ITEMS = Table(
    name="synthesis.synthetic_items",
    grain="one row per item that does not exist, of the generator `gan`",
    writer="synthesise_tables",
    key=("item_id",),
    columns=(
        column("item_id", "string", "`synthetic-item-` and a number; no event is of it"),
        column("category", "array<string>?", "path from the top, one that enough items have"),
        column("brand", "string?", "one that enough items have"),
        column("price", "decimal(18,4)?", "list price in `currency`", "price >= 0"),
        column("currency", "string?", "ISO 4217, the most frequent of the shop"),
        column("attributes", "map<string,string>", "name to value, values that enough items have"),
        column("available", "boolean?", "as in silver.items"),
        *_made_from("silver.items"),
    ),
)

TABLES_REPORT = Table(
    name="synthesis.tables_report",
    grain="one row per (table, generator, metric): what the gate found of synthetic tables",
    writer="synthesise_tables",
    key=("table", "generator", "metric"),
    columns=(
        column(
            "table", "string", "users, visits, paths (events in their order) or items",
            "table in ('users', 'visits', 'paths', 'items')",
        ),
        column("generator", "string", "`gan`, or a baseline: `gaussian` (a copula), `independent`"),
        column("metric", "string", "such as pairs; meanings: recsynth/synthesis/table_judge.py and table_gate.py"),
        *(c for c in SYNTHESIS_REPORT.columns if c.name not in ("generator", "metric")),
    ),
)  # fmt: skip

SYNTHETIC_TEXTS = Table(
    name="synthesis.synthetic_texts",
    grain="one row per (kind, text): a review, a question or an opinion that nobody wrote",
    writer="synthesise_texts",
    key=("kind", "text"),
    columns=(
        column("kind", "string", "what it is", "kind in ('review', 'question', 'opinion')"),
        column(
            "label", "string", "that it was written for: stars of a review, intent of a question, topic of an opinion"
        ),
        column("sentiment", "string?", "of an opinion, as in silver.posts"),
        column("text", "string", "as the writer's tokenizer spells it", "text <> ''"),
        column("generator", "string", "`writer`"),
        column("draws", "int", "how many of the label's draws said it", "draws >= 1"),
        column("model_version", "string", "the writer's folder below _models"),
        column("taught", "date", "as-of date of the night that taught the writer"),
        column("seed", "bigint", "with label, sentiment and model_version it decides the row"),
        column("source_version", "bigint", "Delta version of silver.reviews, tickets or posts that was learned from"),
        column(
            "verdict", "string", "of the kind as a whole: failed data are not used", "verdict in ('passed', 'failed')"
        ),
        column(
            "training_weight",
            "double",
            "1: `teach_texts` learns from it beside people's texts; 0: not learned from, failed or no help",
            "training_weight >= 0 and (training_weight = 0 or verdict = 'passed')",
        ),
    ),
)

TEXTS_REPORT = Table(
    name="synthesis.texts_report",
    grain="one row per (kind of text, generator, metric): what the gate found of synthetic texts",
    writer="synthesise_texts",
    key=("kind_of_text", "generator", "metric"),
    columns=(
        column("kind_of_text", "string", "review, question or opinion"),
        column("generator", "string", "`writer`, or the control: `writer_shuffled`, the labels dealt anew"),
        column("metric", "string", "such as transfer; meanings: recsynth/synthesis/label_judge.py"),
        *(c for c in SYNTHESIS_REPORT.columns if c.name not in ("generator", "metric")),
    ),
)

TABLES = (
    SYNTHETIC_HISTORIES,
    SYNTHETIC_INTERACTIONS,
    WRITTEN_TEXTS,
    SYNTHETIC_QUERIES,
    AUGMENTED_TEXTS,
    SYNTHESIS_REPORT,
    SYNTHETIC_USERS,
    SYNTHETIC_EVENTS,
    SYNTHETIC_ITEMS,
    TABLES_REPORT,
    SYNTHETIC_TEXTS,
    TEXTS_REPORT,
)
