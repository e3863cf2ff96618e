"""The stage on one small shop: a clean night passes every rule, each planted defect is found by its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from recsynth.checks.check import check, check_rules
from recsynth.checks.settings import CHECKED, CheckSettings, RuleSettings, default_rules
from recsynth.errors import SettingsError
from recsynth.settings import Settings
from recsynth.tables import RUN_DATE, TABLES
from recsynth.tables.gold import HISTORIES, ITEM_TEXT
from recsynth.tables.ops import CHECKS, METRICS
from recsynth.tables.output import RECOMMENDATIONS
from tests.rows import events, item_record, item_records, night, table

AS_OF = date(2024, 5, 1)
LAST = datetime(2024, 4, 30, 12, tzinfo=UTC)
USERS, ITEMS = [f"u{n}" for n in range(20)], [f"i{n}" for n in range(10)]

# A rule of each kind beside ours, so that every planted defect has one that should see it.
FURTHER: list[dict[str, Any]] = [
    {"name": "event_has_currency", "table": "silver.events", "kind": "not_null", "columns": ["currency", "price"]},
    {"name": "price_range", "table": "silver.events", "kind": "range", "columns": ["price"], "min": 0.1, "max": 500},
    {"name": "quantity_range", "table": "silver.events", "kind": "range", "columns": ["quantity"], "max": 1000},
    {"name": "currency_set", "table": "silver.events", "kind": "set", "columns": ["currency"],
     "values": ["GBP", "o'Hara", "a\\b"]},
    {"name": "country_pattern", "table": "silver.events", "kind": "pattern", "columns": ["country"],
     "pattern": r"^[A-Z]{2}$"},
    {"name": "user_pattern", "table": "silver.events", "kind": "pattern", "columns": ["user_id"], "pattern": r"^u\d+$"},
    {"name": "text_is_short", "table": "silver.events", "kind": "condition",
     "condition": "text is null or length(text) < 1000"},
    {"name": "purchase_has_order", "table": "silver.events", "kind": "condition",
     "where": "event_type = 'purchase'", "condition": "order_id is not null"},
    {"name": "event_once", "table": "silver.events", "kind": "unique", "columns": ["event_id"]},
    {"name": "item_in_catalogue", "table": "silver.events", "kind": "foreign_key", "columns": ["item_id"],
     "references": "gold.item_text"},
    {"name": "events_of_a_day", "table": "silver.events", "kind": "figure", "days": 1, "expression": "count(*)",
     "min": 10},
    {"name": "no_busy_user", "table": "silver.events", "kind": "figure", "max": 0.3,
     "expression": "max_by(copies, copies) / sum(copies)"},
    {"name": "sources", "table": "silver.events", "kind": "distribution", "columns": ["source"], "max": 0.1},
    {"name": "scores", "table": "output.recommendations", "kind": "distribution", "columns": ["score"], "max": 0.25},
    {"name": "score_is_number", "table": "output.recommendations", "kind": "condition",
     "condition": "not isnan(score)"},
    {"name": "reasons_are_said", "table": "output.recommendations", "kind": "condition", "condition": "reason <> ''"},
    {"name": "ranks_are_whole", "table": "output.recommendations", "kind": "figure", "min": 3, "max": 3,
     "expression": "max(rank)"},
]  # fmt: skip
SETTINGS = Settings.model_validate({"checks": {"rules": FURTHER, "least_nights": 2}})
Tables = dict[str, DataFrame]


@pytest.fixture(scope="module")
def clean(spark: SparkSession) -> Tables:
    """Two weeks of a shop on which nothing is wrong, by full name."""
    kinds = ["view"] * 3 + ["purchase"]
    shop = [(u, ITEMS[(n + d) % 10], kinds[(n + d) % 4], LAST - timedelta(days=d, minutes=n))
            for n, u in enumerate(USERS) for d in range(14)]  # fmt: skip
    lists = [{"user_id": u, "rank": r, "item_id": ITEMS[(n + r) % 10], "score": 1 / r + n / 100, "reason": "so",
              "purchase_probability": 0.1, "is_explored": False, "sources": [], "reason_items": [],
              "model_version": "m"} for n, u in enumerate(USERS) for r in (1, 2, 3)]  # fmt: skip
    figures = [("account", "rows_landed", "", "s", 100.0, None, None, None),
               ("account", "rows_quarantined", "", "s", 5.0, None, None, None),
               ("recommend", "ndcg@10", "ranker", "newest window, candidates", 0.4, None, None, None)]  # fmt: skip
    made = {name: TABLES[name].empty(spark) for name in CHECKED}
    return made | {
        "silver.events": events(spark, shop, country="DE"),
        "gold.histories": table(spark, HISTORIES, [{"user_id": u, "events": []} for u in USERS]),
        "gold.item_text": table(spark, ITEM_TEXT, [
            {"item_id": i, "title": f"mug {i}", "text": "mug", "content_hash": i, "is_cold": False} for i in ITEMS
        ]),
        "output.recommendations": table(spark, RECOMMENDATIONS, lists),
        "ops.metrics": spark.createDataFrame(figures, METRICS.schema),
    }  # fmt: skip


def judged(
    spark: SparkSession, tables: Tables, past: DataFrame | None = None, about: set[str] | None = None
) -> dict[str, Any]:
    """Rule to its row of ops.checks; `about`: these rules alone, because each pass takes its time."""
    if past is None:
        past = CHECKS.empty(spark).withColumn(RUN_DATE, F.lit(AS_OF))
    named = {TABLES[name].short: frame for name, frame in tables.items()} | {"checks": past}
    settings = SETTINGS if about is None else SETTINGS.model_copy(update={"checks": only(about)})
    return {row.rule: row for row in check(night(AS_OF, settings), **named).collect()}


def only(names: set[str]) -> CheckSettings:
    rules = [rule for rule in SETTINGS.checks.in_force if rule.name in names]
    return SETTINGS.checks.model_copy(update={"rules": rules, "without": [r.name for r in default_rules()]})


@pytest.fixture(scope="module")
def first(spark: SparkSession, clean: Tables) -> dict[str, Any]:
    """What the rules find on a night with none before it."""
    return judged(spark, clean)


@pytest.fixture(scope="module")
def past(spark: SparkSession, first: dict[str, Any]) -> DataFrame:
    """Two good nights before."""
    rows = spark.createDataFrame(list(first.values()), CHECKS.schema)
    frames = [rows.withColumn(RUN_DATE, F.lit(AS_OF - timedelta(days=d))) for d in (1, 2)]
    return frames[0].union(frames[1]).persist()


def test_a_clean_night_breaks_no_rule(spark: SparkSession, clean: Tables, past: DataFrame) -> None:
    found = judged(spark, clean, past)
    assert {name: row.said for name, row in found.items() if row.outcome != "passed"} == {}
    assert len(found) == len(default_rules()) + len(FURTHER)


def test_the_first_night_fails_nothing_and_says_what_it_cannot_judge(first: dict[str, Any]) -> None:
    assert {row.outcome for row in first.values()} == {"passed", "not judged"}
    assert "too few good nights" in first["ranker_quality"].said


RECOMMENDED, EVENTS = "output.recommendations", "silver.events"
# Defects of single rows: column, what is planted there, the rule that must see it. Each is planted in rows of its own.
OF_ROWS: dict[str, tuple[str, Any, str]] = {
    "a missing price": ("price", None, "event_has_currency"),
    "a missing currency": ("currency", None, "event_has_currency"),
    "a price of nothing": ("price", 0, "price_range"),
    "a price in pence": ("price", 1999, "price_range"),
    "an absurd quantity": ("quantity", 80_995, "quantity_range"),
    "an unknown currency": ("currency", "EUR", "currency_set"),
    "a currency in small letters": ("currency", "gbp", "currency_set"),
    "a country's whole name": ("country", "Germany", "country_pattern"),
    "an empty country": ("country", "", "country_pattern"),
    "a user of another system": ("user_id", "guest-1", "user_pattern"),
    "a blank user": ("user_id", " ", "user_pattern"),
    "a text of a megabyte": ("text", "x" * 1_000_000, "text_is_short"),
    "a purchase without an order": ("order_id", None, "purchase_has_order"),
    "an event twice": ("event_id", "e0000", "event_once"),
    "an item that is not for sale": ("item_id", "ghost", "item_in_catalogue"),
}
OF_LISTS: dict[str, tuple[str, Any, str]] = {
    "an item that nobody knows": ("item_id", "ghost", "recommended_items_are_known"),
    "a chance above one": ("purchase_probability", 1.5, "chances_are_chances"),
    "a score that is no number": ("score", float("nan"), "score_is_number"),
    "a line without a reason": ("reason", "", "reasons_are_said"),
    "a null reason": ("reason", None, "reasons_are_said"),
}
Plant = Callable[[DataFrame], DataFrame]


def put(column: str, value: Any, where: str = "true") -> Plant:
    def planted(rows: DataFrame) -> DataFrame:
        as_it_was = F.col(column)
        return rows.withColumn(
            column, F.when(F.expr(where), F.lit(value).cast(rows.schema[column].dataType)).otherwise(as_it_was)
        )

    return planted


def planted_in(rows: DataFrame, defects: Mapping[str, tuple[str, Any, str]], keys: Sequence[str]) -> DataFrame:
    """Each defect in one row of its own; `keys`: a condition for each such row."""
    for (column, value, _), key in zip(defects.values(), keys, strict=True):
        rows = put(column, value, key)(rows)
    return rows.localCheckpoint()  # later conditions are of the rows as they were


@pytest.mark.parametrize(("name", "defects"), [(EVENTS, OF_ROWS), (RECOMMENDED, OF_LISTS)])
def test_every_planted_row_is_found_by_its_rule_and_no_other_row_is(
    spark: SparkSession, clean: Tables, past: DataFrame, name: str, defects: Mapping[str, tuple[str, Any, str]]
) -> None:
    # Purchases of the shop are events 3, 6, 9 and so on of its users' days: the same row for no two defects.
    purchases = [r.event_id for r in clean[EVENTS].where("event_type = 'purchase'").orderBy("event_id").collect()]
    lines = [f"user_id = 'u{n}' and rank = 2" for n in range(20)]
    keys = [f"event_id = '{e}'" for e in purchases[1:]] if name == EVENTS else lines
    bad = planted_in(clean[name], defects, keys[: len(defects)])
    found = judged(spark, clean | {name: bad}, past)
    expected = Counter(rule for _, _, rule in defects.values())
    assert {rule: row.broken for rule, row in found.items() if row.broken} == expected
    assert {rule for rule in expected if found[rule].outcome == "passed"} == set()
    for rule in expected:
        if condition := found[rule].broken_where:
            assert bad.where(condition).count() == expected[rule]


# Defects of the whole: the table, how it is planted, the rules that must fail for it.
OF_TABLES: dict[str, tuple[str, Plant, set[str]]] = {
    "all prices a hundredfold": (EVENTS, put("price", 150), {"prices_as_before"}),
    "no event yesterday": (EVENTS, lambda rows: rows.where("event_date < '2024-04-30'"), {"events_of_a_day"}),
    "a feed that stopped a month ago": (
        EVENTS, lambda rows: rows.withColumn("ts", F.col("ts") - F.expr("interval 30 days")),
        {"events_are_fresh", "events_of_a_day", "events_volume"}),
    "most of a week gone": (EVENTS, lambda rows: rows.where("event_date < '2024-04-24' or event_id < 'e0100'"),
                            {"events_volume"}),
    "views alone": (EVENTS, put("event_type", "view"), {"event_types_as_before"}),
    "one event for a thousand": (EVENTS, put("copies", 100_000, "event_id = 'e0000'"), {"no_busy_user"}),
    "a source that fell silent": (EVENTS, put("source", "other"), {"sources"}),
    "users without a list": (RECOMMENDED, lambda rows: rows.where("user_id not in ('u0', 'u1')"), {"users_have_lists"}),
    "an item twice in a list": (RECOMMENDED, put("item_id", "i0", "user_id = 'u0'"), {"lists_do_not_repeat"}),
    "all scores the same": (RECOMMENDED, put("score", 0.5), {"scores"}),
    "lists cut short": (RECOMMENDED, lambda rows: rows.where("rank < 3"), {"ranks_are_whole"}),
    "one item in every first place": (RECOMMENDED, put("item_id", "i9", "rank = 1"), {"first_places_are_shared"}),
    "items without a title": ("gold.item_text", put("title", None, "item_id < 'i3'"), {"items_have_titles"}),
    "half of the catalogue gone": ("gold.item_text", lambda rows: rows.where("item_id < 'i4'"),
                                   {"items_volume", "recommended_items_are_known"}),
    "a ranker that learned nothing": ("ops.metrics", put("value", 0.1, "stage = 'recommend'"), {"ranker_quality"}),
    "most rows set aside": ("ops.metrics", put("value", 90.0, "metric = 'rows_quarantined'"), {"set_aside_share"}),
}  # fmt: skip


@pytest.mark.parametrize("defect", OF_TABLES)
def test_a_planted_defect_of_the_whole_is_found_by_its_rules(
    spark: SparkSession, clean: Tables, past: DataFrame, defect: str
) -> None:
    name, plant, rules = OF_TABLES[defect]
    found = judged(spark, clean | {name: plant(clean[name])}, past, about=rules)
    assert {rule for rule, row in found.items() if row.outcome == "failed"} == rules


def test_the_readme_says_how_many_kinds_of_defect_are_planted() -> None:
    kinds = len(OF_ROWS) + len(OF_LISTS) + len(OF_TABLES)
    assert f"Of {kinds} kinds of defect" in (Path(__file__).parents[2] / "README.md").read_text()


def test_what_finds_broken_rows_is_of_the_rows_that_were_judged(spark: SparkSession, clean: Tables) -> None:
    rule = {"name": "few", "table": EVENTS, "kind": "range", "columns": ["quantity"], "max": 0, "days": 2,
            "where": "event_type = 'purchase' or user_id = 'u0'"}  # fmt: skip
    settings = Settings.model_validate({"checks": {"rules": [rule], "without": [r.name for r in default_rules()]}})
    past = CHECKS.empty(spark).withColumn(RUN_DATE, F.lit(AS_OF))
    named = {TABLES[name].short: frame for name, frame in clean.items()} | {"checks": past}
    (row,) = check(night(AS_OF, settings), **named).collect()
    assert 0 < row.broken == row.rows < 40
    assert clean[EVENTS].where(row.broken_where).count() == row.broken


def test_sql_that_fails_on_a_row_ends_with_the_name_of_its_rule(spark: SparkSession, clean: Tables) -> None:
    odd = {"name": "odd", "table": EVENTS, "kind": "condition", "condition": "raise_error(event_id) is null"}
    settings = Settings.model_validate({"checks": {"rules": [*FURTHER, odd]}})
    past = CHECKS.empty(spark).withColumn(RUN_DATE, F.lit(AS_OF))
    named = {TABLES[name].short: frame for name, frame in clean.items()} | {"checks": past}
    with pytest.raises(SettingsError, match=r"checks\.rules odd: expected SQL on silver\.events, found: .*e0"):
        check(night(AS_OF, settings), **named)


def test_a_bad_night_is_not_what_later_ones_are_compared_with(
    spark: SparkSession, clean: Tables, past: DataFrame
) -> None:
    half = {"output.recommendations": clean["output.recommendations"].where("user_id < 'u12'")}
    about = {"users_have_lists", "recommendations_volume"}
    bad = judged(spark, clean | half, past, about)
    assert bad["users_have_lists"].outcome == "failed"
    rows = spark.createDataFrame(list(bad.values()), CHECKS.schema).withColumn(RUN_DATE, F.lit(date(2024, 4, 30)))
    before = past.where(F.col(RUN_DATE) < F.lit(date(2024, 4, 30))).union(rows)
    assert list(judged(spark, clean, before, about)["recommendations_volume"].past) == [60.0]


def test_a_rule_that_measures_something_else_now_begins_anew(
    spark: SparkSession, clean: Tables, past: DataFrame
) -> None:
    other = {"name": "sources", "table": "silver.events", "kind": "distribution", "columns": ["price"], "max": 0.1}
    rules = [r for r in FURTHER if r["name"] != "sources"] + [other]
    checks = CheckSettings.model_validate({"rules": rules, "least_nights": 2})
    named = {TABLES[name].short: frame for name, frame in clean.items()} | {"checks": past}
    found = {r.rule: r for r in check(night(AS_OF, SETTINGS.model_copy(update={"checks": checks})), **named).collect()}
    assert (found["sources"].outcome, list(found["sources"].past)) == ("not judged", [])
    assert found["scores"].outcome == "passed"


def test_days_before_the_date_are_counted_in_the_shops_own_zone_and_by_day(spark: SparkSession, clean: Tables) -> None:
    records = item_records(spark, [item_record("i0", AS_OF - timedelta(days=d), title=str(d)) for d in (1, 2, 3)])
    rule = {"kind": "figure", "expression": "count(*)", "min": 0}
    rules = [{"name": f"days_{d}", "table": "silver.item_records", "days": d, **rule} for d in (1, 2)]
    settings = Settings.model_validate({"shop_time_zone": "Asia/Tokyo", "checks": {
        "rules": [*rules, {"name": "newest", "table": "silver.item_records", "kind": "freshness", "max": 3,
                           "columns": ["seen_date"]}], "without": [r.name for r in default_rules()]}})  # fmt: skip
    past = CHECKS.empty(spark).withColumn(RUN_DATE, F.lit(AS_OF))
    named = {TABLES[name].short: frame for name, frame in clean.items()} | {"checks": past, "item_records": records}
    found = {r.rule: r.value for r in check(night(AS_OF, settings), **named).collect()}
    # Tokyo's 1 May begins at 15:00 UTC of 30 April; a day is taken to begin at 00:00 UTC.
    assert found == {"days_1": 1.0, "days_2": 2.0, "newest": pytest.approx(0.625)}


def test_an_unknown_key_is_neither_twice_nor_without_its_other(spark: SparkSession, clean: Tables) -> None:
    unknown = put("event_id", None)(put("item_id", None)(clean[EVENTS]))
    found = judged(spark, clean | {EVENTS: unknown}, about={"event_once", "item_in_catalogue"})
    assert {row.outcome for row in found.values()} == {"not judged"}


def test_rules_on_the_same_rows_are_one_pass(spark: SparkSession, clean: Tables) -> None:
    rule = {"table": "silver.events", "kind": "range", "columns": ["quantity"]}
    rules = [RuleSettings.model_validate({"name": f"r{n}", "max": n, **rule}) for n in range(40)]
    checks = SETTINGS.checks.model_copy(update={"rules": rules, "without": [r.name for r in default_rules()]})
    named: Mapping[str, DataFrame] = {TABLES[name].short: frame for name, frame in clean.items()}
    past = CHECKS.empty(spark).withColumn(RUN_DATE, F.lit(AS_OF))
    counted = spark.sparkContext.accumulator(0)

    def counting(rows: Any) -> Any:
        for row in rows:
            counted.add(1)
            yield row

    watched = spark.createDataFrame(clean["silver.events"].rdd.mapPartitions(counting), clean["silver.events"].schema)
    found = check(
        night(AS_OF, SETTINGS.model_copy(update={"checks": checks})), **{**named, "events": watched, "checks": past}
    ).collect()
    assert [r.broken for r in sorted(found, key=lambda r: int(r.rule[1:]))] == [280] + [0] * 39
    assert counted.value == 280


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"kind": "condition", "condition": "no_such_column > 1"}, "no_such_column"),
        ({"kind": "condition", "condition": "price >"}, "expected SQL on silver.events"),
        ({"kind": "figure", "expression": "price", "max": 1}, "expected SQL on silver.events"),
        ({"kind": "range", "columns": ["price"], "max": 1, "where": "1 +"}, "expected SQL on silver.events"),
        ({"kind": "pattern", "columns": ["country"], "pattern": "[A-Z"}, "expected SQL on silver.events"),
    ],
)
def test_sql_that_does_not_fit_its_table_is_named_before_anything_is_read(
    spark: SparkSession, rule: dict[str, Any], message: str
) -> None:
    settings = Settings.model_validate({"checks": {"rules": [{"name": "odd", "table": "silver.events", **rule}]}})
    with pytest.raises(SettingsError, match="odd") as raised:
        check_rules(spark, settings.checks)
    assert message in str(raised.value)


def test_our_own_rules_fit_their_tables(spark: SparkSession) -> None:
    check_rules(spark, Settings().checks)
