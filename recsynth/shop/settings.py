"""Settings of the simulated shop."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

from pydantic import Field

from recsynth.section import Section


class DirtSettings(Section):
    """How much of what lands is bad; rates are shares of the good events, or of a catalogue file's rows."""

    duplicates: float = Field(0.005, ge=0, le=1, description="Rows that land twice, letter by letter.")
    near_duplicates: float = Field(
        0.005, ge=0, le=1, description="Views and clicks that are sent again a second later."
    )
    late: float = Field(0.01, ge=0, le=1, description="Events that land one to three days after they happened.")
    broken: float = Field(0.02, ge=0, le=1, description="Further rows that are broken, each in one way of many.")
    gaps: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Brands, categories and attributes that a record lacks, though its words tell them.",
    )
    bots: int = Field(3, ge=0, description="Bots, each active on one day.")
    bot_events: int = Field(600, ge=1, description="Views of a bot on its day, two a second.")
    device_from_day: int = Field(20, ge=0, description="Day from which files carry a further field `device`.")
    sku_from_day: int = Field(40, ge=0, description="Day from which files say `sku` instead of `item_id`.")


class ShopSettings(Section):
    """The simulated shop; events grow with users * days * sessions_per_day, about 8 a session."""

    users: int = Field(2000, ge=1, description="Customers.")
    items: int = Field(800, ge=20, description="Items in the catalogue by the last day.")
    days: int = Field(120, ge=1, description="Days that are simulated.")
    start: date = Field(date(2025, 1, 1), description="First day.")
    language: Literal["en", "zh"] = Field("en", description="Language of all that is written.")
    sessions_per_day: float = Field(0.09, gt=0, description="Mean sessions of a customer in a day.")
    search_share: float = Field(0.6, ge=0, le=1, description="Sessions that begin with a search.")
    typo_share: float = Field(0.08, ge=0, le=1, description="Searches with a typing error.")
    repeat_share: float = Field(
        0.25, ge=0, le=1, description="Sessions in which something used up is bought again, where there is any."
    )
    new_item_share: float = Field(
        0.3, ge=0, le=1, description="Items that are launched during the simulated time, some each week."
    )
    promotion_share: float = Field(0.05, ge=0, le=1, description="Items on promotion in a week; their appeal rises.")
    promotion_discount: float = Field(0.2, ge=0, lt=1, description="What a promotion takes off the price.")
    season_strength: float = Field(
        0.8, ge=0, description="How much seasonal kinds of item rise and fall: exp(strength) above the mean at most."
    )
    taste_strength: float = Field(
        1.0, ge=0, description="How much tastes weigh against popularity in what people choose."
    )
    bad_batches: int = Field(
        2, ge=0, description="Kinds of item that come faulty for some days: everyone who gets one complains."
    )
    tickets_per_purchase: float = Field(
        0.15, ge=0, le=1, description="Purchases after which someone asks the service; clicks do so 50 times rarer."
    )
    label_share: float = Field(0.8, ge=0, le=1, description="Answered questions whose intent the agent noted.")
    letter_share: float = Field(
        0.2, ge=0, le=1, description="Answers that an agent closed with the customer's order and street."
    )
    out_of_scope_share: float = Field(0.1, ge=0, le=1, description="Questions that no shop can answer.")
    posts_per_day: float = Field(
        12, ge=0, description="Mean posts in public about the shop in a day, without those that are passed on."
    )
    files_per_day: int = Field(1, ge=1, description="Files in which a day's events land.")
    dirt: DirtSettings = Field(default_factory=DirtSettings, description="What is wrong with the data.")

    def date_of(self, day: int) -> date:
        """The date of a simulated day, counted from 0; files are named after it."""
        return self.start + timedelta(days=day)
