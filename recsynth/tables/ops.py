"""Ops: what ran, what it measured, what is complete."""

from __future__ import annotations

from recsynth.tables.table import Table, column

RUNS = Table(
    name="ops.runs",
    grain="one row per run",
    writer="pipeline",
    key=("run_id",),
    nightly=False,
    write="merge",
    columns=(
        column("run_id", "string", "unique"),
        column("run_date", "date", "as-of date"),
        column("status", "string", "running, complete or failed"),
        column("seed", "bigint", "the night's seed"),
        column("config_hash", "string", "sha256 of the settings that shape tables"),
        column("versions_at_start", "map<string,bigint>", "table to its Delta version when the run began; -1: absent"),
        column("started_at", "timestamp", "UTC"),
        column("ended_at", "timestamp?", "UTC; null while running or killed"),
        column("error", "string?", "one line, where it failed"),
    ),
)

STAGE_RUNS = Table(
    name="ops.stage_runs",
    grain="one row per (run, stage) that finished",
    writer="pipeline",
    key=("run_id", "stage"),
    nightly=False,
    write="append",
    columns=(
        column("run_id", "string", "the run"),
        column("run_date", "date", "as-of date"),
        column("stage", "string", "name in the pipeline"),
        column(
            "status",
            "string",
            "complete, or reused from an earlier run of the date",
            "status in ('complete', 'reused')",
        ),
        column("fingerprint", "string", "sha256 of settings, code and what the stage read"),
        column("versions_read", "map<string,bigint>", "table to Delta version"),
        column("versions_written", "map<string,bigint>", "table to Delta version after the stage"),
        column("rows_written", "map<string,bigint>", "table to rows written"),
        column("seconds", "double", "wall time"),
        column("started_at", "timestamp", "UTC"),
    ),
)

METRICS = Table(
    name="ops.metrics",
    grain="one row per (run_date, stage, metric, model, segment): a measured figure",
    writer="pipeline",
    key=("stage", "metric", "model", "segment"),
    partition=("stage",),
    columns=(
        column("stage", "string", "the stage that measured it"),
        column("metric", "string", "such as ndcg@10 or rows_quarantined"),
        column("model", "string", "what was measured, such as recsynth, popularity, before, after; `` where none"),
        column("segment", "string", "whom it is about, such as all, new/light_users; `` where none"),
        column("value", "double", "the figure"),
        column("low", "double?", "lower end of its 95 % interval"),
        column("high", "double?", "upper end of its 95 % interval"),
        column("count", "bigint?", "users, rows or steps it was measured on"),
    ),
)

CHECKS = Table(
    name="ops.checks",
    grain="one row per (run_date, rule): what a rule found in the finished tables of the night",
    writer="check",
    key=("rule",),
    columns=(
        column("rule", "string", "name of the rule"),
        column("table", "string", "the table it is about"),
        column("kind", "string", "what must hold, such as not_null or figure"),
        column("on_failure", "string", "hold: the night is not published; warn", "on_failure in ('hold', 'warn')"),
        column(
            "outcome",
            "string",
            "passed, failed, or not judged: no rows, or too few nights before",
            "outcome in ('passed', 'failed', 'not judged')",
        ),
        column("said", "string", "one sentence: what was expected and found"),
        column("rows", "bigint?", "rows that were judged, where the rule is on rows"),
        column("broken", "bigint?", "of these, rows that break it"),
        column("value", "double?", "share of broken rows, days, figure or index"),
        column("low", "double?", "least value that passes"),
        column("high", "double?", "greatest value that passes"),
        column("broken_where", "string?", "SQL condition of the rows that break it, for a query of one's own"),
        column("measured", "string", "what was measured, as JSON; only nights with the same are compared with"),
        column("past", "array<double>", "value of the good nights before, oldest first"),
        column("profile", "map<string,double>", "distribution: value or lower edge of a bin to its share"),
    ),
)

PUBLISHED = Table(
    name="ops.published",
    grain="one row per complete night; join on run_date and never see half a night",
    writer="pipeline",
    key=("run_date",),
    nightly=False,
    write="merge",
    columns=(
        column("run_date", "date", "as-of date"),
        column("run_id", "string", "the run that completed it"),
        column("versions", "map<string,bigint>", "table to the Delta version that holds the night whole"),
        column("published_at", "timestamp", "UTC"),
    ),
)

ERASURES = Table(
    name="ops.erasures",
    grain="one row per user, item or review that was erased, without the id: the proof that it was done",
    writer="erase",
    key=("erasure_id",),
    nightly=False,
    write="merge",
    columns=(
        column(
            "erasure_id",
            "string",
            "sha256 of the salt and the user's id, `item/<id>` or `review/<id>`: who knows the id finds the row",
        ),
        column("salt", "string", "drawn for this row"),
        column(
            "status",
            "string",
            "running while rows are deleted, when no night may run; deleted; complete once a scan has found nothing",
            "status in ('running', 'deleted', 'complete')",
        ),
        column("landed", "map<string,bigint>", "source to landed rows of theirs that were kept or set aside"),
        column("rows", "map<string,bigint>", "table to rows deleted, of all ids of the request"),
        column("models", "array<string>", "models and classifiers that had learned from ids of the request"),
        column("is_withdrawn", "boolean", "these were taken out of use and removed"),
        column("files", "bigint?", "files that the scan read"),
        column("left", "bigint?", "places where it found an id"),
        column("started_at", "timestamp", "UTC"),
        column("ended_at", "timestamp?", "UTC"),
    ),
)

EXPIRED = Table(
    name="ops.expired",
    grain="one row per (run, table, source): what `[retention]` `event_days` and `raw_days` removed",
    writer="tidy",
    key=("run_id", "table", "source"),
    nightly=False,
    write="merge",
    columns=(
        column("run_id", "string", "the run that removed it"),
        column("table", "string", "the table that had the rows"),
        column("source", "string", "name of the [[sources]] entry"),
        column("rows", "bigint", "rows removed", "rows >= 1"),
        column("landed", "bigint", "landed rows that they alone stood for; 0 where another table has these still"),
        column("before", "timestamp", "UTC; what happened before, or for rows as they landed: landed before, went"),
        column("expired_at", "timestamp", "UTC"),
    ),
)

TABLES = (RUNS, STAGE_RUNS, METRICS, CHECKS, PUBLISHED, ERASURES, EXPIRED)
