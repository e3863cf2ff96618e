"""Silver: events, items and reviews, clean, typed and deduplicated; bad rows set aside, none lost."""
