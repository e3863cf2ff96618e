"""Synthesis: histories of people who do not exist, and the gates that say what they are worth."""
