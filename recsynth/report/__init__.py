"""Report: the page of the night."""
