"""Reviews: what people said of items."""

from __future__ import annotations

from pyspark.sql import DataFrame

from recsynth.stage import Night
from recsynth.tables.silver import REVIEWS


def reviews(events: DataFrame, night: Night) -> DataFrame:
    """Ratings and comments with stars or text; reads silver.events of all time, writes silver.reviews."""
    said = events.where("event_type in ('rating', 'comment') and (rating is not null or text is not null)")
    return said.where("not is_bot and not is_near_duplicate").select(*REVIEWS.column_names)
