"""The README is true: its commands, tree, options, tables and queries."""

from __future__ import annotations

import argparse
import fnmatch
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import DataFrame, SparkSession

from recsynth import cli, lock
from recsynth.errors import RecsynthError
from recsynth.pipeline import STAGES
from recsynth.settings import Settings
from recsynth.store import ABSENT, Store
from recsynth.tables import TABLES
from tests.jobs.test_help import JOBS, help_of
from tests.rows import table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
HALF, WHOLE = date(2025, 4, 18), date(2025, 4, 17)
AT = datetime(2025, 4, 17, tzinfo=UTC)
# One row of each table that the queries read; columns that are left out are null.
ROWS: dict[str, dict[str, Any]] = {
    "output.recommendations": {"user_id": "u", "rank": 1, "item_id": "x", "score": 1.0, "is_explored": False,
                               "propensity": 1.0, "sources": ["als"],
                               "reason": "Bought often.", "reason_items": [], "model_version": "m"},
    "output.new_item_recommendations": {"user_id": "u", "rank": 1, "item_id": "x", "score": 0.5,
                                        "source": "towers", "reason": "New.", "reason_items": [], "model_version": "m"},
    "output.similar_items": {"item_id": "x", "rank": 1, "similar_item_id": "y", "score": 0.5, "model_version": "m"},
    "output.search_results": {"query": "q", "rank": 1, "item_id": "x", "score": 0.5, "model_version": "m"},
    "output.purchase_propensity": {"user_id": "u", "target": "leave", "horizon_days": 90, "probability": 0.9,
                                   "method": "calibrated_trees"},
    "output.review_sentiment": {"item_id": "x", "day": WHOLE, "aspect": "quality", "reviews": 1, "negative_reviews": 1,
                                "neutral_reviews": 0, "positive_reviews": 0, "score": -0.5, "words": [],
                                "contradicting": []},
    "output.user_profiles": {"user_id": "u", "is_default": False, "segment": "champion", "spend": 9.5, "summary": "S."},
    "output.opinion_trends": {"topic": "all", "entity_kind": "shop", "entity": "all", "day": WHOLE, "texts": 2,
                              "negative_texts": 1, "neutral_texts": 0, "positive_texts": 1, "negative_share": 0.5,
                              "topic_share": 1.0, "reposts": 0},
    "output.found_topics": {"topic": "app, crashes", "words": ["app"], "texts": 20, "since": WHOLE, "examples": ["Oh."],
                            "centre": [1.0], "reach": 0.5},
    "output.opinion_alerts": {"topic": "all", "entity_kind": "item", "entity": "x", "raised": WHOLE, "began": WHOLE,
                              "last_day": WHOLE, "negatives": 9, "texts": 9, "expected": 0.5, "chance": 1e-6,
                              "event_ids": ["e"], "sentences": ["Broke."]},
    "output.item_labels": {"item_id": "x", "field": "colour", "value": "red", "words": "red", "found_in": "title",
                           "start": 0, "confidence": 0.9, "is_inferred": False, "recorded": "blue", "content_hash": "h",
                           "model_version": "m"},
    "output.ad_copy": {"item_id": "x", "slot": "headline", "variant": 1, "text": "Red mug", "score": 0.9,
                       "claims": [("red", "colour", "record")], "written_by": "patterns", "language": "en",
                       "tone": "plain", "content_hash": "h", "written": WHOLE},
    "output.service_answers": {"source": "s", "ticket_id": "t", "asked_at": AT, "question": "Where?", "intent": "where",
                               "confidence": 0.9, "decision": "composed", "answer": "Here.",
                               "sentences": [("Here.", "policy", "p")], "passages": [], "reason": "Found.",
                               "is_answered": False},
    "output.demand_forecast": {"level": "item", "series_id": "x", "grain": "lead", "start": WHOLE, "days": 14,
                               "expected": 2.0, "expected_off_promotion": 2.0, "promotion_days": 3, "median": 2.0,
                               "low_80": 1.0, "high_80": 4.0, "low_95": 0.0, "high_95": 6.0, "stock_needed": 5.0,
                               "model": "imapa", "interval_by": "trees"},
    "output.demand_what_if": {"item_id": "x", "price_change": -0.1, "is_promotion": True,
                              "promotion_tonight": False, "currency": "EUR",
                              "price": 9.0, "usual_price": 10.0, "days": 28, "expected": 2.0, "low_80": 1.0,
                              "high_80": 4.0, "revenue": 18.0, "revenue_change": 0.2, "chance_of_more_revenue": 0.9,
                              "elasticity": -3.0, "elasticity_low_80": -4.0, "elasticity_high_80": -2.0,
                              "promotion_lift": 1.0, "learned_from": "item", "price_days": 9},
    "gold.interactions": {"user_id": "u", "item_id": "x", "weight": 1.0, "views": 0, "carts": 0, "purchases": 1,
                          "quantity": 1, "opinions": 0, "first_ts": AT, "last_ts": AT},
    "gold.item_text": {"item_id": "x", "text": "Red mug", "content_hash": "h", "title": "RED MUG", "available": True,
                       "first_seen": AT, "is_cold": False},
    "synthesis.synthesis_report": {"generator": "gan", "metric": "popularity", "kind": "fidelity", "value": 0.9,
                                   "reference": 0.95, "threshold": 0.92, "passed": False},
    "ops.metrics": {"stage": "evaluate", "metric": "ndcg@10", "model": "recsynth", "segment": "all", "value": 0.3},
    "ops.checks": {"rule": "events_are_fresh", "table": "silver.events", "kind": "freshness", "on_failure": "warn",
                   "outcome": "failed", "said": "too old", "measured": "{}", "past": [], "profile": {}},
    "silver.quarantine": {"file_id": "f", "row_hash": "h", "source": "orders", "raw": "{}", "reason": "missing user_id",
                          "first_seen": AT, "copies": 2},
    "bronze.column_changes": {"file_id": "f", "source": "orders", "column": "price", "change": "retyped",
                              "was": "number", "found": "text", "policy": "evolve", "place": 0, "landed_at": AT},
}  # fmt: skip
EMPTY = (
    "gold.histories", "gold.query_items", "synthesis.synthetic_queries", "synthesis.synthetic_events",
    "synthesis.synthetic_texts", "rank.candidates", "rank.features", "model.models",
)  # fmt: skip


class ParsedError(Exception):
    """Carries what a job parsed out of `main`, before it starts anything."""


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCKS if found == language]


def commands() -> list[list[str]]:
    """Every shell command of the README as words, without comments."""
    lines = "".join(blocks("bash")).replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def rows_of(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    lines = README.split(f"\n## {heading}\n")[1].split("\n## ")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| `")]


def tree() -> Iterator[str]:
    """The paths of the annotated tree, from the root."""
    folder = ""
    for line in README.split("## The tree")[1].split("```")[1].splitlines()[1:]:
        name = line.split()[0]
        folder = folder if line.startswith(" ") else name
        yield folder + name if line.startswith(" ") else name


def parsed(words: list[str]) -> argparse.Namespace:
    """What a job reads from its command line."""

    def stop(options: argparse.Namespace) -> None:
        raise ParsedError(options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", words)
        patch.setattr(cli, "settings_of", stop)
        with pytest.raises(ParsedError) as ended:
            runpy.run_path(str(ROOT / words[0]), run_name="__main__")
    options: argparse.Namespace = ended.value.args[0]
    return options


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_is_one_that_exists(words: list[str]) -> None:
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text()
        targets = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
        variables = re.findall(r"^([A-Z_]+) \?=", makefile, re.MULTILINE)
        given = dict(word.split("=", 1) for word in words[2:])
        assert words[1] in targets
        assert set(given) <= {*variables, "ARGS"}
        assert all((ROOT / word).exists() for word in given.values() if word.startswith(("conf/", "tests/")))
        arguments = shlex.split(given.get("ARGS", "")) if words[1] == "nightly" else []
        Settings.load(ROOT / given.get("CONFIG", "conf/tiny.toml"), [w for w in arguments if w != "--set"])
    elif job := [place for place, word in enumerate(words) if word.startswith("jobs/")]:
        options = parsed(words[job[0] :])
        assert Settings.load(ROOT / options.config, options.set).sources
    else:
        assert words[0] == "export" or words[0] == ".venv/bin/spark-sql"


def test_the_tree_is_there_and_whole() -> None:
    named = set(tree())
    assert [path for path in named if not (ROOT / path).exists()] == []
    ignored = [line.strip("/\n") for line in (ROOT / ".gitignore").read_text().splitlines()]
    top = {f"{p.name}/" for p in ROOT.iterdir() if p.is_dir() and not p.name.startswith(".")}
    rooms = {f"recsynth/{p.parent.name}/" for p in (ROOT / "recsynth").glob("*/__init__.py")}
    assert {p for p in top | rooms if not any(fnmatch.fnmatch(p.strip("/"), i) for i in ignored)} - named == set()


def test_the_night_is_the_pipeline() -> None:
    night = README.split("## The night in ten lines")[1].split("The whole of it")[0]
    assert re.findall(r"`(\w+)`", night) == [stage.name for stage in STAGES]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.stem)
def test_the_options_of_a_job_are_those_of_its_help(job: Path) -> None:
    (told,) = (options for name, options, _ in rows_of("Jobs") if name == f"`jobs/{job.name}`")
    usage = help_of(job).split("options:")
    offered = set(re.findall(r"^ +(--[a-z-]+)", usage[1], re.MULTILINE)) - {"--config", "--set"}
    positional = re.findall(r"^  (\w+)  ", usage[0], re.MULTILINE)
    assert set(re.findall(r"`([a-z-]+)`", told)) == offered | set(positional)


def test_every_exit_code_is_told() -> None:
    told = dict(re.findall(r"^\| (\d) \| `(\w+)`", README, re.MULTILINE))
    kinds = [kind for kind in RecsynthError.__subclasses__() if kind.__module__.startswith("recsynth.")]
    assert lock.LakeBusyError in kinds
    assert told == {str(kind.exit_code): kind.__name__ for kind in kinds}


def test_every_table_is_told_with_its_grain() -> None:
    assert {name.strip("`"): grain for name, grain in rows_of("Tables")} == {n: t.grain for n, t in TABLES.items()}
    # What the text below the table says of run_date.
    nightly = {n for n, t in TABLES.items() if t.nightly}
    assert nightly == {n for n, t in TABLES.items() if t.layer in ("gold", "synthesis", "rank", "output")} | {
        "model.models", "model.classifiers", "model.user_embeddings", "ops.metrics", "ops.checks",
    }  # fmt: skip


def test_a_promise_names_tests_that_exist() -> None:
    told = re.findall(r"`(tests/[\w/]+\.py)`", README)
    assert len(told) > 5
    assert [path for path in told if not (ROOT / path).is_file()] == []


def test_the_example_of_a_source_loads(tmp_path: Path) -> None:
    (example,) = blocks("toml")
    (tmp_path / "shop.toml").write_text(example)
    assert Settings.load(tmp_path / "shop.toml").sources[0].name == "orders"


def test_links_lead_somewhere() -> None:
    assert [link for link in re.findall(r"\]\(([^)]+)\)", README) if not (ROOT / link).exists()] == []


def test_the_cluster_of_compose_is_a_master_two_workers_and_a_night() -> None:
    compose = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
    services = compose["services"]
    assert set(services) == {"master", "worker-1", "worker-2", "submit"}
    assert all(service["volumes"] == services["master"]["volumes"] for service in services.values())
    command = services["submit"]["command"]
    job = command.index("/opt/recsynth/jobs/nightly.py")
    assert parsed(["jobs/nightly.py", *command[job + 1 :]]).as_of == "${AS_OF:-2025-04-17}"


def test_the_image_copies_what_exists() -> None:
    lines = (ROOT / "docker/Dockerfile").read_text().splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert copied
    assert [word for word in copied if not (ROOT / word).exists()] == []


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A lake of one whole night, and a later one that was never published."""
    store = Store(spark, str(tmp_path_factory.mktemp("readme") / "lake"))
    for name in (*EMPTY, *ROWS):
        row = ROWS.get(name)
        store.write(TABLES[name], table(spark, TABLES[name], [row] if row else []), WHOLE, "evaluate")
    later = ROWS["output.recommendations"] | {"user_id": "half"}
    recommendations = TABLES["output.recommendations"]
    store.write(recommendations, table(spark, recommendations, [later]), HALF)
    versions = {name: version for name, version in store.versions().items() if version != ABSENT}
    row = {"run_date": WHOLE, "run_id": "r", "versions": versions, "published_at": AT}
    store.write(TABLES["ops.published"], table(spark, TABLES["ops.published"], [row]), WHOLE)
    return store


@pytest.mark.slow
def test_the_queries_from_pyspark(lake: Store, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = (text for text in blocks("python") if "deltalake" not in text)
    names: dict[str, Any] = {}
    exec(code.replace('"data/lake"', repr(lake.lake)), names)
    assert [(r.user_id, r.title) for r in names["recommendations"].collect()] == [("u", "RED MUG")]
    shown = capsys.readouterr().out
    assert "missing user_id" in shown
    assert "half" not in shown


@pytest.mark.slow
def test_the_queries_from_plain_python(lake: Store) -> None:
    (code,) = (text for text in blocks("python") if "deltalake" in text)
    names: dict[str, Any] = {}
    exec(code.replace('"data/lake"', repr(lake.lake)), names)
    assert names["recommendations"][["user_id", "title"]].to_numpy().tolist() == [["u", "RED MUG"]]
    for name in ("new_items", "similar", "search", "likely_to_leave", "complaints", "r", "metrics", "quarantine"):
        assert len(names[name]) == 1, name


@pytest.mark.slow
def test_the_queries_from_sql(spark: SparkSession, lake: Store) -> None:
    (code,) = blocks("sql")
    statements = code.replace("`/data/lake/", f"`{lake.lake}/").split(";")
    results: list[DataFrame] = [spark.sql(one) for one in statements if one.strip()]
    assert [(r.user_id, r.title) for r in results[1].collect()] == [("u", "RED MUG")]
    assert [result.count() for result in results[2:]] == [1] * 15
