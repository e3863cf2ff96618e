"""Bronze: files land as they came, each once."""
