"""Ranking: features, the ranker, and the tables that the shop reads."""
