"""Faults planted into nights, which must end as an undisturbed one does: a quick lane for every run of the tests,
and the whole matrix (`make faults`)."""
