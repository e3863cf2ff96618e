"""Every table of the lake, declared once; one module a layer."""

from __future__ import annotations

from recsynth.tables import bronze, gold, model, ops, output, rank, silver, synthesis
from recsynth.tables.table import RUN_DATE, Column, Table, column

TABLES: dict[str, Table] = {
    table.name: table for layer in (bronze, silver, gold, synthesis, model, rank, output, ops) for table in layer.TABLES
}

__all__ = ["RUN_DATE", "TABLES", "Column", "Table", "column"]
