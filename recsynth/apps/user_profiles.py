"""Who each customer is, from what they did alone: interests, segment, price level, rhythm, next category, in words."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from recsynth.apps.catalogue import latest_items
from recsynth.apps.customer_value import TREES, customer_value
from recsynth.apps.next_category import next_categories
from recsynth.apps.segments import SEGMENTS, scored, stability
from recsynth.apps.settings import ProfileSettings
from recsynth.apps.user_days import user_days
from recsynth.apps.word_patterns import word_beginnings
from recsynth.stage import Frames, Night
from recsynth.tables.ops import METRICS
from recsynth.tables.output import STRANGER, USER_PROFILES

PARTS = ("night", "morning", "afternoon", "evening")
EVIDENCE = 3


def user_profiles(
    events: DataFrame, items: DataFrame, interactions: DataFrame, window_interactions: DataFrame,
    window_labels: DataFrame, histories: DataFrame, night: Night,
) -> Frames:  # fmt: skip
    """One row for each user with an event, and if there are any, one for all others (STRANGER).

    Reads silver.events, silver.items, gold.interactions, gold.window_interactions, gold.window_labels and
    gold.histories; writes output.user_profiles and ops.metrics. Shares of categories, brands and attributes are those
    of R; an interest is what a user's share exceeds the shop's in. Recency, frequency and money are cut in fifths of
    all buyers; what each will spend is told by `customer_value`. No trait of `sensitive_words` is read from anything.
    Bounds: on the driver fourteen cut points, a row a pair of segments; in one broadcast a row a category.
    """
    settings, spark = night.settings.apps.profiles, events.sparkSession
    if not settings.enabled:
        return {"user_profiles": USER_PROFILES.empty(spark),
                "metrics": METRICS.empty(spark)}  # fmt: skip
    known = _facets(items, settings)
    facets = _shares(interactions, known).persist()
    days = user_days(events).persist()
    buyers = scored(days, night, 0).persist()
    chances = next_categories(interactions, window_interactions, window_labels, known, settings)
    parts = [
        _interests(facets, settings), _of_kind(facets, "category", settings), _of_kind(facets, "brand", settings),
        _price_level(interactions, items), _rhythm(histories, night), _searches(histories, settings), chances,
        customer_value(days, night),
    ]  # fmt: skip
    users = events.where("not is_bot and not is_near_duplicate").select("user_id").distinct()
    base = users.join(buyers, on="user_id", how="left")
    table = reduce(lambda left, right: left.join(right, on="user_id", how="left"), parts, base)
    table = table.withColumn("segment", F.coalesce("segment", F.lit("looker"))).withColumn("is_default", F.lit(False))
    # Where nobody is known there is nothing to assume either.
    default = _default(facets, users.limit(1).select(F.lit(STRANGER).alias("user_id")), settings)
    both = table.unionByName(default, allowMissingColumns=True)
    both = both.withColumn("summary", _summary(night.settings.apps.value.days))
    steady = stability(buyers, scored(days, night, 1))
    return {"user_profiles": both.select(*USER_PROFILES.column_names), "metrics": steady}


def _facets(items: DataFrame, settings: ProfileSettings) -> DataFrame:
    """Rows (item_id, kind, term): category, brand and attributes of each item as last known, but no sensitive ones."""
    latest = latest_items(items, "category", "brand", "attributes")
    single = [
        latest.select("item_id", F.lit(kind).alias("kind"), term.alias("term"))
        for kind, term in (("category", F.col("category")), ("brand", F.col("brand")))
    ]
    each = latest.select("item_id", F.explode("attributes").alias("kind", "term"))
    all_of_them = reduce(DataFrame.unionByName, [*single, each])
    plain = all_of_them.where("term is not null and trim(term) <> ''")
    pattern = word_beginnings(settings.sensitive_words)
    is_sensitive = F.col("term").rlike(pattern) | F.col("kind").rlike(pattern)
    return (plain.where(~is_sensitive) if pattern else plain).dropDuplicates(["item_id", "kind", "term"])


def _shares(interactions: DataFrame, known: DataFrame) -> DataFrame:
    """Rows (user_id, kind, term, weight, share, usual, item_ids): shares within a kind, of the user and the shop."""
    met = interactions.select("user_id", "item_id", "weight").join(known, on="item_id", how="inner")
    order = F.sort_array(F.collect_list(F.struct(F.round(-F.col("weight"), 9).alias("w"), "item_id")))
    # One user's items of one facet: bounded by what one person meets, and R has no bots.
    of_user = met.groupBy("user_id", "kind", "term").agg(
        F.sum("weight").alias("weight"), F.slice(order, 1, EVIDENCE)["item_id"].alias("item_ids")
    )
    of_shop = of_user.groupBy("kind", "term").agg(F.sum("weight").alias("shop"))
    total = Window.partitionBy("kind")
    of_shop = of_shop.withColumn("usual", F.col("shop") / F.sum("shop").over(total)).drop("shop")
    mine = Window.partitionBy("user_id", "kind")
    with_share = of_user.withColumn("share", F.col("weight") / F.sum("weight").over(mine))
    return with_share.join(of_shop, on=["kind", "term"], how="inner")


def _interests(facets: DataFrame, settings: ProfileSettings) -> DataFrame:
    """`interests`: terms by share * log(share / usual), a part of the divergence between the user and the shop."""
    gain = F.round(F.col("share") * F.log(F.col("share") / F.col("usual")), 6)
    order = Window.partitionBy("user_id").orderBy(F.desc("gain"), "kind", "term")
    best = facets.withColumn("gain", gain).where("gain > 0").withColumn("place", F.row_number().over(order))
    listed = F.struct(
        "place", "kind", "term", F.col("gain").alias("weight"), F.round("share", 6).alias("share"), "item_ids"
    )
    kept = best.where(F.col("place") <= settings.interests).groupBy("user_id").agg(
        F.sort_array(F.collect_list(listed)).alias("interests")
    )  # fmt: skip
    return kept.withColumn("interests", F.transform("interests", lambda i: i.dropFields("place")))


def _of_kind(facets: DataFrame, kind: str, settings: ProfileSettings) -> DataFrame:
    """`<kind>_shares`: the greatest shares of one kind, as a map."""
    order = Window.partitionBy("user_id").orderBy(F.desc(F.round("share", 6)), "term")
    top = facets.where(F.col("kind") == kind).withColumn("place", F.row_number().over(order))
    pairs = F.collect_list(F.struct("term", F.round("share", 6).alias("share")))
    of_user = top.where(F.col("place") <= settings.shares).groupBy("user_id")
    return of_user.agg(F.map_from_entries(F.sort_array(pairs)).alias(f"{kind}_shares"))


def _price_level(interactions: DataFrame, items: DataFrame) -> DataFrame:
    """`price_level`: where the prices of a user's items lie among those of their category: 0 cheapest, 1 dearest."""
    latest = latest_items(items, "category", "price").dropna(subset="price")
    place = F.percent_rank().over(Window.partitionBy("category").orderBy("price"))
    alone = F.count("*").over(Window.partitionBy("category")) == 1
    placed = latest.withColumn("place", F.when(alone, 0.5).otherwise(place)).select("item_id", "place")
    met = interactions.join(placed, on="item_id", how="inner").groupBy("user_id")
    return met.agg(F.round(F.sum(F.col("place") * F.col("weight")) / F.sum("weight"), 6).alias("price_level"))


def _rhythm(histories: DataFrame, night: Night) -> DataFrame:
    """`weekday_shares` from Monday on and `part_shares` of PARTS, six hours each, of the last events in shop time."""
    event = histories.select("user_id", F.explode("events").alias("e"))
    local = F.from_utc_timestamp("e.ts", night.settings.shop_time_zone)
    marked = event.select("user_id", F.weekday(local).alias("weekday"), F.floor(F.hour(local) / 6).alias("part"))
    weekdays = [F.round(F.count_if(F.col("weekday") == d) / F.count("*"), 6) for d in range(7)]
    parts = [F.round(F.count_if(F.col("part") == p) / F.count("*"), 6) for p in range(len(PARTS))]
    return marked.groupBy("user_id").agg(
        F.array(*weekdays).alias("weekday_shares"), F.array(*parts).alias("part_shares")
    )


def _searches(histories: DataFrame, settings: ProfileSettings) -> DataFrame:
    """`top_searches`: what a user searched most among the last events, the latest first among equals."""
    event = histories.select("user_id", F.explode("events").alias("e")).where("e.event_type = 'search'")
    query = F.lower(F.trim(F.regexp_replace("e.query", r"\s+", " ")))
    asked = event.select("user_id", query.alias("query"), "e.ts").where("query <> ''")
    pattern = word_beginnings(settings.sensitive_words)
    asked = asked.where(~F.col("query").rlike(pattern)) if pattern else asked
    counted = asked.groupBy("user_id", "query").agg(F.count("*").alias("n"), F.max("ts").alias("last"))
    order = Window.partitionBy("user_id").orderBy(F.desc("n"), F.desc("last"), "query")
    best = counted.withColumn("place", F.row_number().over(order)).where(F.col("place") <= settings.searches)
    listed = F.sort_array(F.collect_list(F.struct("place", "query")))["query"]
    return best.groupBy("user_id").agg(listed.alias("top_searches"))


def _default(facets: DataFrame, row: DataFrame, settings: ProfileSettings) -> DataFrame:
    """The row of whom nothing is known: the shop's own shares, a price level in the middle, no interest."""
    made = row.withColumns({
        "segment": F.lit("unknown"), "is_default": F.lit(True), "price_level": F.lit(0.5),
    })  # fmt: skip
    for kind in ("category", "brand"):
        usual = facets.where(F.col("kind") == kind).select("term", "usual").distinct()
        top = usual.orderBy(F.desc(F.round("usual", 6)), "term").limit(settings.shares)
        pairs = F.sort_array(F.collect_list(F.struct("term", F.round("usual", 6).alias("share"))))
        made = made.crossJoin(top.agg(F.map_from_entries(pairs).alias(f"{kind}_shares")))
    shop = made.select(F.explode("category_shares").alias("category", "probability"))
    listed = F.sort_array(F.collect_list(F.struct((-F.col("probability")).alias("order"), "category", "probability")))
    plain = F.transform(listed, lambda c: c.dropFields("order"))
    following = shop.agg(plain.alias("next_categories"))
    following = following.select(
        F.transform("next_categories", lambda c: c.dropFields("order")).alias("next_categories")
    )
    return made.crossJoin(following)


def _summary(value_days: int) -> Column:
    """A few sentences made of the row's own figures, nothing else."""
    segment = F.create_map(*(F.lit(x) for pair in SEGMENTS.items() for x in pair))[F.col("segment")]
    first = F.concat(
        F.upper(F.substring("segment", 1, 1)), F.substring("segment", 2, 99), F.lit(": "), segment, F.lit(".")
    )
    bought = F.format_string(" Orders: %d; days since the last: %d.", F.col("orders"), F.col("recency_days"))
    terms = F.transform(F.slice("interests", 1, 3), lambda i: i["term"])
    likes = F.concat(F.lit(" Drawn to "), F.array_join(terms, ", "), F.lit("."))
    level = F.when(F.col("price_level") < 0.35, "cheap").when(F.col("price_level") > 0.65, "dear").otherwise("usual")
    price = F.concat(F.lit(" Prices: "), level, F.lit("."))
    likely = F.concat(F.lit(" Next most likely: "), F.get("next_categories", F.lit(0))["category"], F.lit("."))
    spends = F.concat(F.lit(" Likely to spend "), F.format_number("value", 0), F.lit(f" within {value_days} days."))
    said = [
        F.when(F.col("orders").isNotNull(), bought),
        F.when(F.col("value_by") == TREES, spends),
        F.when(F.size("interests") > 0, likes),
        price,
        likely,
    ]
    return F.concat(first, *(F.coalesce(part, F.lit("")) for part in said))
