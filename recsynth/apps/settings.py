"""Settings of the applications."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from recsynth.apps.text_settings import AdSettings, LabelSettings, SentimentSettings, ServiceSettings, TeachingSettings
from recsynth.section import Section


class PropensitySettings(Section):
    """Each user's chance to buy and to leave."""

    enabled: bool = Field(True, description="Whether probabilities are made at all; the table is empty otherwise.")
    leave_days: int = Field(90, ge=29, description="Days without a purchase after which a user has left.")
    step_days: int = Field(14, ge=1, description="Days between one earlier cut-off and the one before it.")
    windows: int = Field(12, ge=2, description="Most cut-offs that a model learns from, the newest ones.")
    min_history_days: int = Field(
        56, ge=1, description="Days between the shop's first event and the earliest cut-off that is learned from."
    )
    min_each: int = Field(
        30,
        ge=1,
        description="Rows with a purchase, and without, that learning and calibration each need; else a base rate.",
    )
    max_rows: int = Field(1_000_000, ge=1, description="About how many rows a model learns from, drawn by hash.")
    trees: int = Field(100, ge=1, description="Trees of a model.")
    learning_rate: float = Field(0.05, gt=0, description="Shrinkage of each tree.")
    max_depth: int = Field(4, ge=1, description="Depth of a tree.")
    min_child_weight: float = Field(60.0, ge=0, description="Least hessian in a leaf.")
    subsample: float = Field(0.6, gt=0, le=1, description="Share of rows for each tree.")
    colsample: float = Field(0.4, gt=0, le=1, description="Share of features for each tree.")
    l2: float = Field(20.0, ge=0, description="Ridge on the values of the leaves.")
    workers: int = Field(1, ge=1, description="Spark tasks that train together.")
    judged_users: int = Field(100_000, ge=1, description="About how many users are judged, drawn by hash.")


class ValueSettings(Section):
    """What each customer will spend."""

    enabled: bool = Field(True, description="Whether it is foretold at all; the columns are null otherwise.")
    days: int = Field(90, ge=7, description="Days from the as-of date on whose spend is foretold.")
    step_days: int = Field(14, ge=1, description="Days between one earlier cut-off and the one before it.")
    windows: int = Field(12, ge=1, description="Most cut-offs that is learned from, the newest ones.")
    min_history_days: int = Field(
        56, ge=1, description="Days between the shop's first event and the earliest cut-off that is learned from."
    )
    min_each: int = Field(
        100,
        ge=2,
        description="Customers at earlier cut-offs who then spent something that learning and calibration each need; "
        "else everybody gets the same.",
    )
    max_rows: int = Field(1_000_000, ge=1, description="About how many rows a model learns from, drawn by hash.")
    trees: int = Field(150, ge=1, description="Trees of each of the three models.")
    learning_rate: float = Field(0.05, gt=0, description="Shrinkage of each tree.")
    max_depth: int = Field(4, ge=1, description="Depth of a tree.")
    subsample: float = Field(0.6, gt=0, le=1, description="Share of rows for each tree.")
    colsample: float = Field(0.6, gt=0, le=1, description="Share of features for each tree.")
    workers: int = Field(1, ge=1, description="Spark tasks that train together.")


class DemandSettings(Section):
    """How much of each item and category will be asked for."""

    enabled: bool = Field(True, description="Whether demand is forecast at all; the table is empty otherwise.")
    history_weeks: int = Field(104, ge=8, description="Weeks before the as-of date that a forecast looks at.")
    horizon_weeks: int = Field(4, ge=1, description="Weeks that are forecast, and their days.")
    lead_days: int = Field(14, ge=1, description="Days until an order for the stock arrives; at most the horizon's.")
    service_level: float = Field(0.95, gt=0.5, lt=1, description="Chance that `stock_needed` covers the demand.")
    backtests: int = Field(
        8, ge=1, description="Earlier weeks from which it is forecast too, to choose models and learn the spread."
    )
    shrinkage: float = Field(
        8.0, ge=0, description="Backtests of its own that a series needs to count as much as all series together."
    )
    profile_weeks: int = Field(8, ge=1, description="Last weeks of the shop by which a week is shared among its days.")
    min_rows: int = Field(
        200, ge=1, description="Rows of backtests without which quantiles are those of Poisson counts instead."
    )
    max_rows: int = Field(
        50_000, ge=1, description="About how many rows of backtests the driver learns quantiles from, drawn by hash."
    )
    trees: int = Field(100, ge=1, description="Trees of a quantile.")
    learning_rate: float = Field(0.06, gt=0, description="Shrinkage of each tree.")
    max_depth: int = Field(4, ge=1, description="Depth of a tree.")
    min_child_weight: float = Field(50.0, ge=0, description="Least rows in a leaf.")
    subsample: float = Field(0.7, gt=0, le=1, description="Share of rows for each tree.")
    colsample: float = Field(0.6, gt=0, le=1, description="Share of features for each tree.")
    l2: float = Field(20.0, ge=0, description="Ridge on the values of the leaves.")

    @model_validator(mode="after")
    def _lead_is_forecast(self) -> DemandSettings:
        if self.lead_days > 7 * self.horizon_weeks:
            raise ValueError(f"lead_days: expected at most 7 * horizon_weeks, found {self.lead_days}")
        return self


class WhatIfSettings(Section):
    """What would be asked for at other prices."""

    enabled: bool = Field(
        True, description="Whether demand is told at other prices; the table is empty otherwise, or without forecasts."
    )
    price_changes: list[float] = Field(
        default_factory=lambda: [-0.3, -0.2, -0.1, 0.1, 0.2],
        min_length=1,
        description="Changes of tonight's price that are told of, as shares above -1 and at most 1; 0 is always one.",
    )
    promotion_from: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="Share below the usual price from which a price is a promotion, where the shop names none.",
    )
    history_days: int = Field(364, ge=7, description="Days before the as-of date that are learned from.")
    period_days: int = Field(
        56,
        ge=7,
        description="Days within which an item's prices, or its days on promotion and others, are compared; longer "
        "ones take its rise for an effect.",
    )
    reach_days: int = Field(
        3, ge=0, description="Days before and after a day whose events tell its price where its own are too few."
    )
    least_seen: int = Field(2, ge=1, description="Events that a price needs to be that of a day.")
    least_known: float = Field(
        0.5, ge=0, le=1, description="Share of a period's days whose price is known, without which it is left out."
    )
    max_items: int = Field(
        20_000,
        ge=1,
        description="Items whose price changed, or that were promoted, that the driver learns from at most, by hash.",
    )

    @field_validator("price_changes")
    @classmethod
    def _leaves_a_price(cls, changes: list[float]) -> list[float]:
        if wrong := [c for c in changes if not -1 < c <= 1]:
            raise ValueError(f"expected changes above -1 and at most 1, found {wrong}")
        return changes


class SurgeSettings(Section):
    """When a rise of negative texts is an alert."""

    windows: list[int] = Field(
        default_factory=lambda: [1, 3, 7], min_length=1, description="Last days that are added up and compared."
    )
    baseline_days: int = Field(56, ge=14, description="Days before a window that say what is usual.")
    min_days: int = Field(28, ge=14, description="Days of history without which there is no alert.")
    min_volume: int = Field(5, ge=1, description="Negative texts in a window without which there is no alert.")
    cool_down: int = Field(7, ge=0, description="Days within which the same surge is not told anew.")
    false_alarms: float = Field(0.3, gt=0, description="False alarms of a topic and quarter that are put up with.")


class OpinionSettings(Section):
    """What is said of topics and entities, and alerts."""

    enabled: bool = Field(True, description="Whether opinions are counted at all; the tables are empty otherwise.")
    shown_days: int = Field(28, ge=1, description="Days before the as-of date that the tables tell of.")
    fold_days: int = Field(7, ge=0, description="Days within which a text that says again what was said is a repost.")
    fold_chars: int = Field(
        60,
        ge=1,
        description="Letters and digits that a text has at least to be a repost; short ones are alike by chance.",
    )
    fold_share: float = Field(
        0.7, gt=0, le=1, description="Share of pairs of words from which a text says again what another said."
    )
    examples: int = Field(5, ge=1, description="Texts that an alert shows.")
    surges: SurgeSettings = Field(default_factory=SurgeSettings, description="When a rise is an alert.")


class FoundTopicSettings(Section):
    """Topics of posts that nobody named and no classifier knows."""

    enabled: bool = Field(True, description="Whether they are looked for; the tables are empty otherwise.")
    days: int = Field(28, ge=1, description="Days before the as-of date in whose posts they are looked for.")
    least_texts: int = Field(15, ge=2, description="Distinct texts that make a topic.")
    max_topics: int = Field(20, ge=1, description="Most topics, the largest.")
    max_texts: int = Field(
        3000, ge=2, description="About how many texts the driver looks at, drawn by hash; each costs a vector."
    )
    same_from: float = Field(
        0.8, gt=0, le=1, description="Cosine of two centres from which a topic is that of the night before."
    )


class PostSettings(Section):
    """What posts are about and how they mean it; sources of kind `posts`."""

    enabled: bool = Field(True, description="Whether posts are read; reviews alone are counted otherwise.")
    least_confidence: float = Field(
        0.6,
        ge=0,
        lt=1,
        description="Calibrated chance of its topic below which nobody knows what a post is about. A new topic may "
        "take in posts that are surer, too, as long as 95 in 100 texts of known topics are surer than they.",
    )
    topic: TeachingSettings = Field(
        default_factory=TeachingSettings,
        description="How the classifier of topics is taught, by posts whose topic was told. Its encoder also finds "
        "topics that nobody named.",
    )
    sentiment: TeachingSettings = Field(
        default_factory=TeachingSettings,
        description="How the classifier of sentiments is taught, by posts whose sentiment was told; while a sentiment "
        "has fewer than `min_each` texts, that of reviews reads posts too.",
    )
    found: FoundTopicSettings = Field(default_factory=FoundTopicSettings, description="Topics that nobody named.")


SENSITIVE = [
    "hiv", "aids", "cancer", "diabet", "depress", "disab", "pregnan", "fertility", "abortion", "medic", "therap",
    "mental", "religio", "christian", "muslim", "islam", "jewish", "judaism", "hindu", "buddh", "catholic", "bible",
    "quran", "koran", "politic", "socialist", "communist", "democrat", "republican", "trade union", "gay", "lesbian",
    "bisexual", "transgender", "lgbt", "sexual", "ethnic", "racial", "immigra", "refugee", "criminal", "adult toy",
    "疾病", "宗教", "政治", "种族", "同性", "怀孕",
]  # fmt: skip


class ProfileSettings(Section):
    """Who each customer is."""

    enabled: bool = Field(True, description="Whether profiles are made at all; the table is empty otherwise.")
    interests: int = Field(8, ge=1, description="Most interests of a user.")
    shares: int = Field(10, ge=1, description="Most categories, and brands, whose shares a profile has.")
    searches: int = Field(5, ge=1, description="Most searches of a profile.")
    categories: int = Field(50, ge=2, description="Most categories that the next one is looked for among.")
    judged_users: int = Field(20_000, ge=1, description="About how many users are judged, drawn by hash.")
    sensitive_words: list[str] = Field(
        default_factory=lambda: SENSITIVE,
        description="Beginnings of words, in lower case, that tell of health, faith, politics, sex or origin: "
        "categories, brands, attributes and searches that hold one are left out of profiles.",
    )


class AppsSettings(Section):
    """The applications."""

    propensity: PropensitySettings = Field(
        default_factory=PropensitySettings, description="Chance to buy and to leave."
    )
    value: ValueSettings = Field(default_factory=ValueSettings, description="What each customer will spend.")
    demand: DemandSettings = Field(default_factory=DemandSettings, description="Demand of items and categories.")
    what_if: WhatIfSettings = Field(default_factory=WhatIfSettings, description="Demand at other prices.")
    sentiment: SentimentSettings = Field(default_factory=SentimentSettings, description="What reviews say of items.")
    opinions: OpinionSettings = Field(default_factory=OpinionSettings, description="Topics, entities and alerts.")
    posts: PostSettings = Field(default_factory=PostSettings, description="What posts are about and how they mean it.")
    profiles: ProfileSettings = Field(default_factory=ProfileSettings, description="Who each customer is.")
    service: ServiceSettings = Field(default_factory=ServiceSettings, description="Intents and answers.")
    labels: LabelSettings = Field(default_factory=LabelSettings, description="Fields of items found in their words.")
    ads: AdSettings = Field(default_factory=AdSettings, description="Titles, descriptions and advertisements.")
