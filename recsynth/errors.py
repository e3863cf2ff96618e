"""Errors that a user of the job can act on: each names what, where, expected and found."""

from __future__ import annotations


class RecsynthError(Exception):
    """A fault that ends the run with one clear line; `exit_code` is what the job returns."""

    exit_code = 1


class SettingsError(RecsynthError):
    """The configuration is not valid: unknown key, wrong type, value out of range."""

    exit_code = 2


class InputError(RecsynthError):
    """The landing folder or a file in it is not what the configuration says."""

    exit_code = 3

    def __init__(self, where: str, expected: str, found: str) -> None:
        super().__init__(f"{where}: expected {expected}, found {found}")
        self.where, self.expected, self.found = where, expected, found


class ContractError(RecsynthError):
    """A table breaks its declaration (schema, key, not-null or row rule)."""

    exit_code = 4

    def __init__(self, table: str, column: str, expected: str, found: str, run_date: str = "") -> None:
        night = f" (run date {run_date})" if run_date else ""
        super().__init__(f"{table}.{column}: expected {expected}, found {found}{night}")
        self.table, self.column, self.expected, self.found = table, column, expected, found


class ModelError(RecsynthError):
    """A model folder cannot be trusted or read: no manifest, wrong checksum, not safetensors."""

    exit_code = 5


class AccountingError(RecsynthError):
    """Landed rows are not kept + duplicates + quarantined: something was lost."""

    exit_code = 6


class ErasureError(RecsynthError):
    """A user was erased, and yet the id stands somewhere below lake or report; or an erasure was killed on the way."""

    exit_code = 8


class HeldError(RecsynthError):
    """The night is done but breaks a rule that holds it back: it is not published, readers stay on the one before."""

    exit_code = 9
