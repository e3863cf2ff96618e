"""Measure: pure metrics, numpy alone."""
