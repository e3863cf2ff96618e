"""Inference: texts and users through the champion, in pandas UDFs."""
