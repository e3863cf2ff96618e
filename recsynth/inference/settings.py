"""Settings of the inference room."""

from __future__ import annotations

from pydantic import Field

from recsynth.section import Section


class InferenceSettings(Section):
    """Encoding."""

    batch_size: int = Field(64, ge=1, description="Texts that go through the encoder at once.")
    max_queries: int = Field(
        20_000, ge=0, description="Most frequent queries that are encoded; the rest stand in no history."
    )
    threads: int = Field(1, ge=1, description="CPU threads of one Python worker; tasks run side by side.")
    vector_levels: int = Field(
        512,
        ge=0,
        description="Vectors are written in multiples of one over this: a quarter of the bytes for nothing that could "
        "be measured (tests/benchmarks/README.md); 0: as they come.",
    )
