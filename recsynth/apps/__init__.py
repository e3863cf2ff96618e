"""The applications, each a stage that writes tables of its own."""
