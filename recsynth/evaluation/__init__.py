"""Evaluation: a night judged on the days after it, beside simpler recommenders."""
