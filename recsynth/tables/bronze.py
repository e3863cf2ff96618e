"""Bronze: what landed, as it came."""

from __future__ import annotations

from recsynth.tables.table import Table, column

LANDED_FILES = Table(
    name="bronze.landed_files",
    grain="one row per file that was landed; a content is landed once for each source",
    writer="land",
    key=("file_id",),
    nightly=False,
    write="merge",
    columns=(
        column("file_id", "string", "sha256 of source name and file content"),
        column("source", "string", "name of the [[sources]] entry"),
        column("path", "string", "where it lay, relative to the landing folder"),
        column("sha256", "string", "sha256 of its content; for a table: of its identity and version"),
        column("rows", "bigint", "data rows in the file, malformed ones included", "rows >= 0"),
        column("landed_at", "timestamp", "start of the run that landed it"),
    ),
)

ROWS = Table(
    name="bronze.rows",
    grain="one row per landed data row, as it came; a file may hold the same row twice, so there is no key",
    writer="land",
    nightly=False,
    write="append",
    partition=("source",),
    columns=(
        column("file_id", "string", "the file it came in"),
        column("source", "string", "name of the [[sources]] entry"),
        column("raw", "string", "the row as it came: the line where it is malformed, else JSON of its fields"),
        column("fields", "map<string,string>?", "column name to value as text; null where the row is malformed"),
    ),
)

CHANGES = ("first", "new", "missing", "renamed", "retyped", "reordered")

COLUMN_CHANGES = Table(
    name="bronze.column_changes",
    grain="one row per (file, column, change): where a landed file has other columns than those of its source before",
    writer="land",
    key=("file_id", "column", "change"),
    nightly=False,
    write="merge",
    columns=(
        column("file_id", "string", "the file"),
        column("source", "string", "name of the [[sources]] entry"),
        column("column", "string", "the column, by the name that it had before; of `reordered` the first moved one"),
        column("change", "string", "`first`: of the first file, or the first value; the others as in sources.drift",
               "change in " + str(CHANGES)),
        column("was", "string?", "kind of its values before; of `reordered` all names in order, as JSON; of `first`, "
               "`new` and `renamed` the column that it stands after"),
        column("found", "string?", "the same now; of `renamed` its new name"),
        column("policy", "string", "what was done", "policy in ('evolve', 'quarantine')"),
        column("place", "int", "order among the changes that the run landed"),
        column("landed_at", "timestamp", "start of the run that landed it"),
    ),
)  # fmt: skip

TABLES = (LANDED_FILES, ROWS, COLUMN_CHANGES)
