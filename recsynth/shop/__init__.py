"""The simulated shop: a catalogue, tastes, sessions and dirt, with the truth of all that was planted."""
