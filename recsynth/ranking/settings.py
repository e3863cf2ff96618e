"""Settings of the ranking room."""

from __future__ import annotations

from string import Formatter
from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from recsynth.section import Section

Objective = Literal["rank:ndcg", "rank:pairwise", "binary:logistic"]


class RankerSettings(Section):
    """The gradient-boosted trees (XGBoost on Spark)."""

    objectives: list[Objective] = Field(
        default_factory=lambda: list[Objective](("rank:ndcg", "binary:logistic")),
        min_length=1,
        description="What the trees minimise: rankers of each are grown and their scores averaged.",
    )
    trees: int = Field(300, ge=1, description="Most trees; early stopping on the newest window finds how many.")
    patience: int = Field(
        # One window's NDCG@10 goes up and down by more than forty trees add: it stopped after seven (tests/benchmarks).
        100,
        ge=1,
        description="Trees without a better NDCG@10 (binary:logistic: log loss) on the newest window before it stops.",
    )
    learning_rate: float = Field(0.05, gt=0, description="Shrinkage of each tree.")
    max_depth: int = Field(8, ge=1, description="Depth of a tree.")
    min_child_weight: float = Field(40.0, ge=0, description="Least hessian in a leaf.")
    subsample: float = Field(0.8, gt=0, le=1, description="Share of rows for each tree.")
    colsample: float = Field(0.5, gt=0, le=1, description="Share of features for each tree.")
    pairs_per_sample: int = Field(
        10,
        ge=1,
        description="With rank:ndcg the first places of a list, each of which is set against every candidate; with "
        "rank:pairwise the pairs that are drawn for each candidate.",
    )
    negative_share: float = Field(
        0.4, gt=0, le=1, description="Share of the candidates without a purchase that it learns from."
    )
    ensemble: int = Field(
        2, ge=1, description="Rankers of each objective that differ by their seed alone and whose scores are averaged."
    )
    workers: int = Field(1, ge=1, description="Spark tasks that train a ranker together.")
    parallel: int = Field(
        2, ge=1, description="Rankers that are trained at a time, each by `workers` tasks that hold all of its rows."
    )


class ExplorationSettings(Section):
    """Chance in the lists, for a shop that wants to learn what its ranker does not show."""

    share: float = Field(
        0.0, ge=0, lt=1, description="Share of users who find an item from further down at `place`; 0: nobody."
    )
    place: int = Field(10, ge=1, description="The rank that is given away; those above it stay as they are.")


class ReasonSettings(Section):
    """The sentences of `reason`, in the shop's language; what stands in braces is filled in and must stay."""

    bought: str = Field("Bought {times}, last activity {ago}.", description="Of an item that the user has bought.")
    goes_with: str = Field(
        "Goes with {title}, which is in the history.", description="Of an item that one of the history adds most to."
    )
    interest: str = Field(
        "Of interest before, last activity {ago}.", description="Of an item that was looked at and not bought."
    )
    like_users: str = Field("Users with a like history have it.", description="Of what similar users have.")
    text: str = Field("Its description matches the history.", description="Of what the language model found.")
    popular: str = Field("Popular now.", description="Of what is much in demand.")
    nothing_known: str = Field(
        "Popular now; nothing is known of this user yet.", description="The same, to a user of whom no item is known."
    )
    newcomers: str = Field(
        "New customers take it up more than others do.", description="In the list of strangers: of such an item."
    )
    history: str = Field("Suggested by the history as a whole.", description="Where no other sentence holds.")
    new_near: str = Field(
        "New, and its description is near to {title}, which is in the history.", description="Of a new item."
    )
    new: str = Field("New, and its description matches the history.", description="The same, where no item is near.")
    once: str = Field("once", description="Of one basket, {times}.")
    twice: str = Field("twice", description="Of two, {times}.")
    often: str = Field("{n} times", description="Of more, {times}.")
    today: str = Field("in the last day", description="Of less than a day, {ago}.")
    yesterday: str = Field("1 day ago", description="Of one day, {ago}.")
    earlier: str = Field("{n} days ago", description="Of more, {ago}.")

    @field_validator("*")
    @classmethod
    def _has_its_places(cls, value: str, info: ValidationInfo) -> str:
        expected = places(str(cls.model_fields[info.field_name or ""].default))
        if places(value) != expected:
            raise ValueError(
                f"expected {', '.join(f'{{{p}}}' for p in expected) or 'no place in braces'}, found {value!r}"
            )
        return value


def places(sentence: str) -> list[str]:
    """Names in braces of a sentence, in alphabetical order. Raises ValueError for braces that hold no plain name."""
    found = [part[1:] for part in Formatter().parse(sentence) if part[1] is not None]
    if any(form or conversion for _, form, conversion in found):
        raise ValueError(f"expected plain names in braces, found {sentence!r}")
    return sorted(str(name) for name, _, _ in found)


class RankingSettings(Section):
    """Ranker and lists."""

    ranker: RankerSettings = Field(default_factory=RankerSettings, description="The trees.")
    exploration: ExplorationSettings = Field(
        default_factory=ExplorationSettings, description="Chance in the lists, with its propensity."
    )
    reasons: ReasonSettings = Field(
        default_factory=ReasonSettings, description="The sentences that say why, in the shop's language."
    )
    list_length: int = Field(50, ge=1, description="Best items in a user's list.")
    discoveries: int = Field(20, ge=0, description="Items never bought that a list holds at least, behind the best.")
    stranger_half_life_days: float = Field(
        14.0,
        gt=0,
        description="Days after which a purchase counts half in the list of user_id `*`, which is for whom nothing is "
        "known of.",
    )
    category_cap: int = Field(
        0, ge=0, description="Items of one category that stand in a list before all others had their turn; 0: no cap."
    )
    brand_cap: int = Field(
        0, ge=0, description="The same for the items of one brand, so that no supplier fills a list alone; 0: no cap."
    )
    diversity: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Weight of an item's likeness to those before it in its list, by text, against its score; 0: the "
        "score alone. `make bench-ablation` says what it costs.",
    )
    item_filter: str = Field(
        "available", description="SQL condition over gold.item_text that a recommended item satisfies."
    )
    new_item_places: int = Field(
        0,
        ge=0,
        description="New items (output.new_item_recommendations) that stand in each user's list, too; each takes the "
        "place of one that is bought oftener, which is what it costs tonight. 0: none.",
    )
    new_item_rank: int = Field(10, ge=1, description="Rank of the first of them; what stood there moves behind.")
    new_items: int = Field(10, ge=1, description="New items for each user.")
    similar_items: int = Field(20, ge=1, description="Similar items for each item.")
    similar_text_weight: float = Field(
        0.5, ge=0, le=1, description="Weight of text against co-interaction in `similar_items`."
    )
    search_results: int = Field(20, ge=1, description="Items for each frequent query.")
    search_prior: float = Field(
        30.0,
        gt=0,
        description="How much text and demand say of a query beside what its searchers chose, in the unit of "
        "gold.query_items.weight: at this weight both count the same.",
    )
    search_temperature: float = Field(
        0.15, gt=0, description="Difference of cosine between query and text that makes an item e times as likely."
    )
    search_demand_power: float = Field(
        0.5, ge=0, description="Exponent of an item's demand in what text and demand say of a query; 0: text alone."
    )
    min_query_sessions: int = Field(3, ge=1, description="Sessions that make a query frequent.")
    max_queries: int = Field(20_000, ge=1, description="Most frequent queries that get results.")

    @model_validator(mode="after")
    def _chance_keeps_its_place(self) -> Self:
        first, drawn = self.new_item_rank, self.exploration
        if self.new_item_places and drawn.share and first <= drawn.place:
            raise ValueError(
                f"expected new_item_rank behind exploration.place ({drawn.place}), so that what chance put there stays "
                f"there, found {first}"
            )
        return self
