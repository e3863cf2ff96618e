"""Gold: R, the text-item association matrix, item text and histories, all before the as-of date."""
