"""Output: what the shop reads in the morning."""

from __future__ import annotations

from recsynth.tables.table import Table, column

STRANGER = "*"
"""The user_id of what holds for everybody of whom nothing is known; no event can bear it."""

_USER_LINE = (
    column("user_id", "string", "the user"),
    column("rank", "int", "1 is best", "rank >= 1"),
    column("item_id", "string", "what is recommended"),
)

RECOMMENDATIONS = Table(
    name="output.recommendations",
    grain="one row per (run_date, user_id, rank), and the list of user_id `*` for everybody else",
    writer="recommend",
    key=("user_id", "rank"),
    columns=(
        *_USER_LINE,
        column(
            "score",
            "double",
            "the ranker's score; comparable within a user; of `*` a share of demand, of a new item what orders those",
        ),
        column(
            "purchase_probability",
            "double?",
            "calibrated chance that the user, if buying at all in the next gold.windows.days days, buys it; null "
            "where no window could be held out and for `*`",
            "purchase_probability between 0 and 1",
        ),
        column("is_explored", "boolean", "it stands at this rank by chance (ranking.exploration)"),
        column(
            "propensity",
            "double",
            "chance that tonight's lists show the item to the user at this rank; 1 where nothing is left to chance",
            "propensity > 0 and propensity <= 1",
        ),
        column("sources", "array<string>", "candidate sources that proposed it"),
        column("reason", "string", "one true sentence"),
        column("reason_items", "array<string>", "items of the user's history that pushed it most; may be empty"),
        column("model_version", "string", "language model whose match score is in the score"),
    ),
)

NEW_ITEM_RECOMMENDATIONS = Table(
    name="output.new_item_recommendations",
    grain="one row per (run_date, user_id, rank), over items with no interaction before the as-of date",
    writer="new_items",
    key=("user_id", "rank"),
    columns=(
        *_USER_LINE,
        column("score", "double", "what orders the user's list: a carried-over score of R, or the probability p_ij"),
        column(
            "source",
            "string",
            "`text_transfer`: what similar items' buyers do; `towers`: p_ij, for users without a row in R",
            "source in ('text_transfer', 'towers')",
        ),
        column("reason", "string", "one true sentence"),
        column("reason_items", "array<string>", "items of the history nearest in text; may be empty"),
        column("model_version", "string", "language model"),
    ),
)

SIMILAR_ITEMS = Table(
    name="output.similar_items",
    grain="one row per (run_date, item_id, rank)",
    writer="similar_items",
    key=("item_id", "rank"),
    columns=(
        column("item_id", "string", "the item looked at"),
        column("rank", "int", "1 is nearest", "rank >= 1"),
        column("similar_item_id", "string", "the item like it"),
        column("score", "double", "blend of co-interaction and text similarity, 0 to 1"),
        column("model_version", "string", "language model"),
    ),
)

SEARCH_RESULTS = Table(
    name="output.search_results",
    grain="one row per (run_date, query, rank) for the frequent queries",
    writer="search_results",
    key=("query", "rank"),
    columns=(
        column("query", "string", "normalised query"),
        column("rank", "int", "1 is best", "rank >= 1"),
        column("item_id", "string", "the item found"),
        column(
            "score", "double", "how likely a searcher takes it up: what earlier ones chose, text and demand, 0 to 1"
        ),
        column("model_version", "string", "language model"),
    ),
)

PURCHASE_PROPENSITY = Table(
    name="output.purchase_propensity",
    grain="one row per (run_date, user_id, target, horizon_days), for users with an event before the as-of date",
    writer="purchase_propensity",
    key=("user_id", "target", "horizon_days"),
    columns=(
        column("user_id", "string", "the user"),
        column(
            "target",
            "string",
            "`buy`: a purchase within horizon_days; `leave`: none within them",
            "target in ('buy', 'leave')",
        ),
        column("horizon_days", "int", "days from the as-of date on", "horizon_days >= 1"),
        column("probability", "double?", "calibrated; null where the method is unknown", "probability between 0 and 1"),
        column(
            "method",
            "string",
            "`calibrated_trees`; `base_rate`: the same for everybody, for want of rows to learn from; `unknown`: no "
            "window as long as the horizon has passed yet",
            "method in ('calibrated_trees', 'base_rate', 'unknown')",
        ),
    ),
)

POLARITIES = ("negative", "neutral", "positive")
WHOLE = "all"
"""The aspect under which a whole review stands."""

REVIEW_SENTIMENT = Table(
    name="output.review_sentiment",
    grain="one row per (run_date, item_id, day, aspect) of the last days that has a review of it",
    writer="review_sentiment",
    key=("item_id", "day", "aspect"),
    columns=(
        column("item_id", "string", "the item"),
        column("day", "date", "day of the reviews in the shop's time zone"),
        column(
            "aspect",
            "string",
            "what is spoken of, such as quality, or words that reviews have for it; `all`: the whole review",
        ),
        column("reviews", "bigint", "reviews that day that speak of it", "reviews >= 1"),
        *(column(f"{p}_reviews", "bigint", f"of these the {p} ones", f"{p}_reviews >= 0") for p in POLARITIES),
        column("score", "double", "mean of P(positive) - P(negative)", "score between -1 and 1"),
        column(
            "trend",
            "double?",
            "mean score of the trend_days up to this day less that of as many before; null without a review in them",
            "trend between -2 and 2",
        ),
        column("sentence", "string?", "what says it best; null where stars came without words"),
        column("words", "array<string>", "words of that sentence that speak most for its polarity"),
        column("contradicting", "array<string>", "reviews (event_id) whose stars say the opposite of their text"),
        column(
            "model_version",
            "string?",
            "text classifier of the night; null where there was none and stars alone were read",
        ),
    ),
)

DEMAND_FORECAST = Table(
    name="output.demand_forecast",
    grain="one row per (run_date, level, series_id, grain, start), for items sold in the weeks that are looked at",
    writer="demand_forecast",
    key=("level", "series_id", "grain", "start"),
    columns=(
        column("level", "string", "item, category or shop", "level in ('item', 'category', 'shop')"),
        column("series_id", "string", "item_id; the category's path, `unknown` without one; `all` for the shop"),
        column(
            "grain",
            "string",
            "`week`: seven days from start; `day`; `lead`: the days until an order for stock arrives",
            "grain in ('week', 'day', 'lead')",
        ),
        column("start", "date", "first day, in the shop's time zone"),
        column("days", "int", "days from start on", "days >= 1"),
        column(
            "expected",
            "double",
            "mean units: days sum to weeks, items to categories, categories to the shop; with promotions that the shop "
            "has named (silver.promotions), and as many more as it usually names later",
            "expected >= 0",
        ),
        column(
            "expected_off_promotion",
            "double",
            "the same if nothing were on promotion; what is expected where the shop names no promotions",
            "expected_off_promotion >= 0",
            before="expected",
        ),
        column(
            "promotion_days",
            "int?",
            "of an item: days of these on which it will be on promotion, as the shop has named them; null where it "
            "names none",
            "promotion_days between 0 and days",
        ),
        column("median", "double", "as likely more as less, in whole units", "median >= 0"),
        column("low_80", "double", "four times in five the demand lies from here", "low_80 >= 0"),
        column("high_80", "double", "to here, units", "high_80 >= low_80"),
        column("low_95", "double", "nineteen times in twenty from here", "low_95 >= 0"),
        column("high_95", "double", "to here, units", "high_95 >= low_95"),
        column("stock_needed", "double", "whole units that cover the demand at the service level", "stock_needed >= 0"),
        column("model", "string", "what said the mean: a statistical model; `sum`: that of the items"),
        column(
            "interval_by",
            "string",
            "`trees` learned over all items; `residuals`: earlier misses of the sum; `poisson`: for want of backtests",
            "interval_by in ('trees', 'residuals', 'poisson')",
        ),
    ),
)

DEMAND_WHAT_IF = Table(
    name="output.demand_what_if",
    grain="one row per (run_date, item_id, price_change, is_promotion), for items with a forecast and a price; none "
    "while no price changes",
    writer="demand_what_if",
    key=("item_id", "price_change", "is_promotion"),
    columns=(
        column("item_id", "string", "see silver.items"),
        column(
            "price_change", "double", "share by which tonight's price would change; 0: it stays", "price_change > -1"
        ),
        column(
            "is_promotion",
            "boolean",
            "on promotion: supposed both ways where the shop names its promotions (silver.promotions); where it names "
            "none, the price lies so far below the usual one that it counts as one",
            # By the default of apps.what_if.promotion_from: there was no calendar yet.
            before="price <= 0.9 * usual_price",
        ),
        column(
            "promotion_tonight",
            "boolean",
            "the same of tonight's price on the as-of date",
            before="price / (1 + price_change) <= 0.9 * usual_price",
        ),
        column("currency", "string?", "ISO 4217; that of most events of the item"),
        column("price", "double", "unit price in `currency` that is supposed", "price > 0"),
        column("usual_price", "double", "what most of the last days showed", "usual_price > 0"),
        column("days", "int", "days from the as-of date on that the units are of: the horizon", "days >= 1"),
        column(
            "expected",
            "double",
            "units if it were so on all days; off promotion at tonight's price `expected_off_promotion` of "
            "output.demand_forecast",
            "expected >= 0",
        ),
        column("low_80", "double", "mean units if the response is weaker or stronger, four times in five from here"),
        column("high_80", "double", "to here; how demand itself strays is told by output.demand_forecast"),
        column("revenue", "double", "price times expected, in `currency`", "revenue >= 0"),
        column("revenue_change", "double", "share by which revenue changes against tonight's price"),
        column(
            "chance_of_more_revenue",
            "double",
            "how likely revenue is greater than at tonight's price",
            "chance_of_more_revenue between 0 and 1",
        ),
        column("elasticity", "double", "percent by which orders change for a price that is one percent higher"),
        column("elasticity_low_80", "double", "four times in five from here"),
        column("elasticity_high_80", "double", "to here", "elasticity_high_80 >= elasticity_low_80"),
        column("promotion_lift", "double", "times as many orders on promotion, beyond the price", "promotion_lift > 0"),
        column(
            "learned_from",
            "string",
            "whose prices taught it: the item's own and its kind's, its category's and the shop's, or the shop's alone",
            "learned_from in ('item', 'category', 'shop')",
        ),
        column(
            "price_days",
            "int",
            "days at another price than the usual one, or on a named promotion, that were learned from",
            "price_days >= 0",
        ),
    ),
)

_SERIES = (
    column("topic", "string", "an aspect of reviews, such as delivery, or a topic of posts; `all`: whatever is said"),
    column(
        "entity_kind",
        "string",
        "what is spoken of; `named`: what posts call by a name",
        "entity_kind in ('item', 'brand', 'category', 'shop', 'named')",
    ),
    column("entity", "string", "item_id, brand, the category's path, the name; `all` for the shop"),
)

OPINION_TRENDS = Table(
    name="output.opinion_trends",
    grain="one row per (run_date, topic, entity_kind, entity, day) of the last days that has a text",
    writer="opinions",
    key=("topic", "entity_kind", "entity", "day"),
    columns=(
        *_SERIES,
        column("day", "date", "day of the texts in the shop's time zone"),
        column("texts", "bigint", "texts that day, reposts left out", "texts >= 1"),
        *(column(f"{p}_texts", "bigint", f"of these the {p} ones", f"{p}_texts >= 0") for p in POLARITIES),
        column("negative_share", "double", "negative ones of them", "negative_share between 0 and 1"),
        column(
            "usual_negative_share",
            "double?",
            "the same over the 28 days before; null without a text in them",
            "usual_negative_share between 0 and 1",
        ),
        column(
            "topic_share",
            "double?",
            "texts on the topic among all of the entity that day; null where every one is a repost",
            "topic_share between 0 and 1",
        ),
        column("reposts", "bigint", "texts that say again what was said of the same within fold_days", "reposts >= 0"),
    ),
)

FOUND_TOPICS = Table(
    name="output.found_topics",
    grain="one row per (run_date, topic) that many posts of the last days are about and that nobody named",
    writer="find_topics",
    key=("topic",),
    columns=(
        column("topic", "string", "the words that tell it best, from the first night on that found it"),
        column("words", "array<string>", "the words that tell it best tonight, strongest first"),
        column("texts", "bigint", "distinct texts of the last days that it was found in", "texts >= 1"),
        column("since", "date", "the first of the nights in a row that found it"),
        column("examples", "array<string>", "texts nearest to its centre, the nearest first"),
        column("centre", "array<float>", "mean vector of its texts, of unit length"),
        column(
            "reach", "double", "cosine to the centre from which a text belongs to it", "reach between -1 and 1.0001"
        ),
    ),
)

OPINION_ALERTS = Table(
    name="output.opinion_alerts",
    grain="one row per (run_date, topic, entity_kind, entity, raised): a surge of negative texts in the last days",
    writer="opinions",
    key=("topic", "entity_kind", "entity", "raised"),
    columns=(
        *_SERIES,
        column("raised", "date", "the day on which it could be told from chance"),
        column("began", "date", "when it began", "began <= raised"),
        column("last_day", "date", "the last day on which it still held", "last_day >= raised"),
        column("negatives", "bigint", "negative texts of the days by which it was noticed", "negatives >= 1"),
        column("texts", "bigint", "all texts of these days", "texts >= negatives"),
        column("expected", "double", "negative texts that the weeks before led to", "expected >= 0"),
        column("chance", "double", "probability of so many without a surge", "chance between 0 and 1"),
        column(
            "event_ids",
            "array<string>",
            "reviews and posts that made it, at most `examples`: those with words first, the worst first",
        ),
        column("sentences", "array<string>", "what they say, where they came with words"),
    ),
)

_SCORE = "fifth of all buyers, 5 the best; null without a purchase"

USER_PROFILES = Table(
    name="output.user_profiles",
    grain="one row per (run_date, user_id) with an event before the as-of date, and `*` for everybody else",
    writer="user_profiles",
    key=("user_id",),
    columns=(
        column("user_id", "string", "the user; `*`: what to assume of one who has no row"),
        column("is_default", "boolean", "whether it is the row `*`"),
        column(
            "segment",
            "string",
            "by fifths of recency, orders and spend",
            "segment in ('champion', 'loyal', 'promising', 'at risk', 'asleep', 'looker', 'unknown')",
        ),
        column("recency_days", "int?", "days since the last purchase; null without one", "recency_days >= 1"),
        column("orders", "bigint?", "orders so far", "orders >= 0"),
        column("spend", "double?", "what they cost, in the shop's currency, returns not taken off", "spend >= 0"),
        *(
            column(f"{name}_score", "int?", _SCORE, f"{name}_score between 1 and 5")
            for name in ("recency", "frequency", "monetary")
        ),
        column(
            "price_level",
            "double?",
            "where the user's items lie among the prices of their categories: 0 cheapest, 1 dearest",
            "price_level between 0 and 1",
        ),
        column(
            "interests",
            "array<struct<kind:string,term:string,weight:double,share:double,item_ids:array<string>>>?",
            "terms that the user meets more than the shop's customers do, the strongest first, with the items behind",
        ),
        column("category_shares", "map<string,double>?", "shares of R, the greatest"),
        column("brand_shares", "map<string,double>?", "shares of R, the greatest"),
        column("weekday_shares", "array<double>?", "shares of the last events, Monday first, in shop time"),
        column("part_shares", "array<double>?", "shares of night, morning, afternoon, evening: six hours each"),
        column("top_searches", "array<string>?", "what was searched most, in lower case"),
        column(
            "next_categories",
            "array<struct<category:string,probability:double>>?",
            "chance that the next purchase is of a category, the likeliest first",
        ),
        column("value", "double?", "mean spend of the days to come (`apps.value.days`); null: unknown", "value >= 0"),
        column("value_low", "double?", "four times in five the spend lies from here", "value_low >= 0"),
        column(
            "value_high",
            "double?",
            "to here; the mean of the few who spend much may be above",
            "value_high >= value_low",
        ),
        column(
            "value_by",
            "string?",
            "`trees`; `base_rate`: the same for everybody, for want of customers to learn from; `unknown`: no window "
            "as long has passed yet",
            "value_by in ('trees', 'base_rate', 'unknown')",
        ),
        column("summary", "string", "a few sentences made of this row's facts alone"),
    ),
)

ITEM_LABELS = Table(
    name="output.item_labels",
    grain="one row per (run_date, item_id, field) of which the item's own words hold a value",
    writer="item_labels",
    key=("item_id", "field"),
    columns=(
        column("item_id", "string", "as the shop writes it"),
        column("field", "string", "`brand`, `category`, or an attribute's name in lower case"),
        column("value", "string", "the value, spelled as most records spell it"),
        column(
            "words", "string", "the words of the item that are the value; of a category those that speak most for it"
        ),
        column(
            "found_in",
            "string",
            "`title`, `description`, or `text` for both",
            "found_in in ('title', 'description', 'text')",
        ),
        column("start", "int", "place of the words: letters before them in title and description", "start >= 0"),
        column("confidence", "double", "calibrated chance that it is so", "confidence between 0 and 1"),
        column("is_inferred", "boolean", "the record has no value of the field"),
        column("recorded", "string?", "what the record says; another value than `value` is a contradiction"),
        column("content_hash", "string", "sha256 of the words that were read"),
        column("model_version", "string", "what found it"),
    ),
)

SERVICE_ANSWERS = Table(
    name="output.service_answers",
    grain="one row per (run_date, source, ticket): a question of the last days and what to answer",
    writer="service_answers",
    key=("source", "ticket_id"),
    columns=(
        column("source", "string", "name of the [[sources]] entry"),
        column("ticket_id", "string", "as the shop writes it"),
        column("user_id", "string?", "who asked"),
        column("asked_at", "timestamp", "UTC"),
        column("question", "string?", "as read: white space folded, cut; null where there is no word in it"),
        column("intent", "string?", "most probable intent; null while there is no classifier"),
        column("confidence", "double?", "its calibrated probability", "confidence between 0 and 1"),
        column(
            "decision",
            "string",
            "`template`: what agents answer, filled from the asker's own record; `composed`: sentences of passages; "
            "`hand_over`: an agent has to answer",
            "decision in ('template', 'composed', 'hand_over')",
        ),
        column("answer", "string?", "what to tell; null on a hand-over", "(decision = 'hand_over') = (answer is null)"),
        column(
            "sentences",
            "array<struct<text:string,kind:string,source_id:string>>",
            "all that the answer says, each with where it stands: template, policy, answer or item",
        ),
        column(
            "passages",
            "array<struct<kind:string,source_id:string,score:double>>",
            "where the answer was looked for, the nearest first, with the cosine; empty for a template",
        ),
        column("reason", "string", "one sentence on why this was decided"),
        column("is_answered", "boolean", "an agent had answered before the as-of date"),
        column("model_version", "string?", "classifier of the intent"),
    ),
)

AD_COPY = Table(
    name="output.ad_copy",
    grain="one row per (run_date, item_id, slot, variant): a text that may be shown of an item",
    writer="ad_copy",
    key=("item_id", "slot", "variant"),
    columns=(
        column("item_id", "string", "as the shop writes it"),
        column("slot", "string", "what it is for", "slot in ('title', 'description', 'headline', 'body')"),
        column("variant", "int", "1 for the one that is shown first", "variant >= 1"),
        column("text", "string", "the text; it says nothing that stands in no claim", "text <> ''"),
        column(
            "score",
            "double",
            "share of what customers search in such items that it tells, 0 to 1; of a description, which stands beside "
            "the title, without the thing itself",
            "score between 0 and 1",
        ),
        column(
            "claims",
            "array<struct<text:string,field:string,found_in:string>>",
            "all that it says of the item; field: a slot, or `words`; found_in: record, title or description",
        ),
        column(
            "written_by",
            "string",
            "`sentences`: those that the shop's descriptions share, patterns among them; `patterns`; `generator`: a "
            "language model",
            "written_by in ('sentences', 'patterns', 'generator')",
        ),
        column("language", "string", "of the patterns, as asked for"),
        column("tone", "string", "as asked for"),
        column("content_hash", "string", "sha256 of the item's record and words and of how texts are written"),
        column("written", "date", "night on which it was written; an item that did not change keeps its texts"),
    ),
)

TABLES = (
    RECOMMENDATIONS,
    NEW_ITEM_RECOMMENDATIONS,
    SIMILAR_ITEMS,
    SEARCH_RESULTS,
    PURCHASE_PROPENSITY,
    REVIEW_SENTIMENT,
    DEMAND_FORECAST,
    DEMAND_WHAT_IF,
    OPINION_TRENDS,
    OPINION_ALERTS,
    FOUND_TOPICS,
    USER_PROFILES,
    SERVICE_ANSWERS,
    ITEM_LABELS,
    AD_COPY,
)
