"""Room: bronze."""
