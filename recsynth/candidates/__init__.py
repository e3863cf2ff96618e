"""Candidates: what each source would show a user, with the score of every source for each of them."""
