"""Training: the language model learns from histories which user wants which text."""
