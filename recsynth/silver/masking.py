"""What people write of themselves in free text: mail addresses, phone, card and account numbers, masked in silver."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column
from pyspark.sql import functions as F

# The character before and after must not belong to it: an article number is no phone number.
_MAIL = r"(?<![\w.+%-])[\p{L}\p{N}_.+%-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+"
_ACCOUNT = r"(?<!\w)[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]{4}){2,7}(?:[ -]?[A-Za-z0-9]{1,3})?(?!\w)"
# First digits and lengths of the card networks; thirteen digits are those of a barcode.
_CARD = r"(?<![\w+-])(?:[3-6]\d{3}|2[2-7]\d{2})(?:[ -]?\d){10,15}(?![\w-])"
# A number with its country code, or one that begins with 0 and has groups: other digits are orders, sizes and dates.
_PHONE = (
    r"(?<![\w+.,/-])(?:(?:\+|00)[1-9]\d{0,2}(?:[ ./-]?(?:\(\d{1,5}\)|\d{1,5})){2,6}"
    r"|(?:\(0[1-9]\d{1,4}\)|0[1-9]\d{1,4})[ /.-]\d{2,8}(?:[ .-]?\d{2,8}){0,4}"
    r"|\(\d{3}\) ?\d{3}[ .-]\d{4})(?![\w/-])"
)


def masked(text: Column) -> Column:
    """The text with each of them replaced by `[mail]`, `[account]`, `[card]` or `[phone]`; null stays null.

    Account numbers are those whose check digits are right (ISO 13616, modulo 97), card numbers those that pass Luhn's
    formula (ISO/IEC 7812), phone numbers have 8 to 15 digits (E.164).
    """
    text = F.regexp_replace(text, _MAIL, "[mail]")
    text = _each(text, _ACCOUNT, _is_account, "[account]")
    text = _each(text, _CARD, _is_card, "[card]")
    return _each(text, _PHONE, _is_phone, "[phone]")


def _each(text: Column, pattern: str, is_one: Callable[[Column], Column], mask: str) -> Column:
    """Every match that `is_one` accepts replaced by the mask."""

    def replaced(whole: Column) -> Column:
        found = F.filter(F.regexp_extract_all(whole, F.lit(pattern), F.lit(0)), is_one)
        return F.aggregate(found, whole, lambda done, one: F.replace(done, one, F.lit(mask)))

    # By a name of its own within the array, the text is worked out once and not again wherever it is used.
    return F.transform(F.array(text), replaced)[0]


def _is_card(found: Column) -> Column:
    return F.call_function("luhn_check", F.regexp_replace(found, r"\D", ""))


def _is_account(found: Column) -> Column:
    """Whether the number, its first four characters moved to the end and letters as 10 to 35, leaves 1 modulo 97."""
    plain = F.upper(F.regexp_replace(found, "[ -]", ""))
    turned = F.concat(F.substring(plain, 5, 64), F.substring(plain, 1, 4))

    def digit(rest: Column, one: Column) -> Column:
        is_letter = one.between("A", "Z")
        value = F.when(is_letter, F.ascii(one) - 55).otherwise(F.ascii(one) - 48)
        return (rest * F.when(is_letter, 100).otherwise(10) + value) % 97

    return F.aggregate(F.filter(F.split(turned, ""), lambda one: one != ""), F.lit(0), digit) == 1


def _is_phone(found: Column) -> Column:
    return F.length(F.regexp_replace(found, r"\D", "")).between(8, 15)
