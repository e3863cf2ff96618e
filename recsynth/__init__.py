"""recsynth: a nightly Spark job that turns clickstreams into recommendations."""

__version__ = "0.1.0"
