"""Room: silver."""
