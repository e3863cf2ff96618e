"""Room: shop."""
