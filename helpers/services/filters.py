"""Metadata filters in Pinecone's language (a small part of MongoDB's), checked first and then answered for all rows at once.

A filter is a dictionary: ``{"year": {"$gte": 1990}, "genre": "drama"}``. Fields are joined by "and"; ``$and`` and
``$or`` take lists of filters. A record's value is a string, a number, a boolean or a list of strings; a list matches
``$eq`` and ``$in`` when one of its strings does. Types are never converted: ``"1990"`` is not ``1990``, ``True`` is not
``1``. ``$ne`` and ``$nin`` are the exact opposites of ``$eq`` and ``$in``, so they also match a record without the field,
as in MongoDB.
"""

from collections.abc import Callable

import numpy as np

COMPARISONS = {"$gt": np.greater, "$gte": np.greater_equal, "$lt": np.less, "$lte": np.less_equal}
OPERATORS = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$and", "$or")
MAX_CHOICES = 10_000  # values of one $in or $nin
MAX_DEPTH = 50  # $and and $or inside each other; a bound, so that no filter can exhaust the stack


class FilterError(ValueError):
    """A filter that the language does not allow; the message says which part and what would be allowed."""


class Column:
    """One metadata field of all rows, laid out for comparing at once."""

    def __init__(self, records: list[dict | None], field: str):
        self.present = np.zeros(len(records), bool)
        self.number = np.full(len(records), np.nan)  # NaN compares false with everything
        self.truth = np.full(len(records), -1, np.int8)
        self.words: dict[str, list[int]] = {}
        for row, record in enumerate(records):
            if not record or field not in record:
                continue
            value = record[field]
            self.present[row] = True
            if isinstance(value, bool):  # before the numbers: in Python a bool is an int
                self.truth[row] = value
            elif isinstance(value, (int, float)):
                self.number[row] = value
            else:
                for word in [value] if isinstance(value, str) else value:
                    self.words.setdefault(word, []).append(row)

    def equal(self, value) -> np.ndarray:
        """Mask of the rows whose value is (or, for a list, contains) this one."""
        if isinstance(value, bool):
            return self.truth == value
        if isinstance(value, (int, float)):
            return self.number == value
        mask = np.zeros(len(self.present), bool)
        mask[self.words.get(value, [])] = True
        return mask

    def any_of(self, values: list) -> np.ndarray:
        """Mask of the rows that equal at least one of these values."""
        mask = np.isin(self.number, [v for v in values if not isinstance(v, str)])
        for word in values:
            if isinstance(word, str):
                mask[self.words.get(word, [])] = True
        return mask


Predicate = Callable[[Callable[[str], Column], int], np.ndarray]  # (column of a field, number of rows) -> mask


def compile_filter(condition: dict) -> Predicate:
    """A checked filter as a function ``(column, rows) -> mask``, where ``column(field)`` gives a Column.

    Raises FilterError with a sentence for a person where the filter is not of the language.
    """
    return _all_of(_clauses(condition, 0))


def _clauses(condition, depth: int) -> list[Predicate]:
    if not isinstance(condition, dict):
        raise FilterError(f'A filter must be an object such as {{"year": {{"$gte": 1990}}}}, not {_show(condition)}.')
    if depth > MAX_DEPTH:
        raise FilterError(f"The filter is nested deeper than {MAX_DEPTH} levels: flatten its $and and $or.")
    clauses = []
    for key, value in condition.items():
        if key in ("$and", "$or"):
            clauses.append(_joined(key, value, depth))
        elif key.startswith("$"):
            raise FilterError(
                _unknown(key) if key not in OPERATORS else f"{key} must stand inside a field: {_example(key)}."
            )
        elif isinstance(value, dict):
            if not value:
                raise FilterError(
                    f"The condition on field '{key}' is empty: give it an operator such as {_example('$eq')}."
                )
            clauses += [_single(key, operator, operand) for operator, operand in value.items()]
        else:
            clauses.append(_single(key, "$eq", value))  # {"genre": "drama"} is short for {"genre": {"$eq": "drama"}}
    return clauses


def _joined(key: str, value, depth: int) -> Predicate:
    if not isinstance(value, list) or not value:
        raise FilterError(f"{key} must be followed by a non-empty list of filters, got {_show(value)}.")
    parts = [_all_of(_clauses(part, depth + 1)) for part in value]
    return _all_of(parts) if key == "$and" else _any_of(parts)


def _single(field: str, operator: str, operand) -> Predicate:
    """The predicate of one operator on one field, after a check of the operand's type."""
    if operator in ("$eq", "$ne"):
        if not isinstance(operand, (str, int, float)):
            raise FilterError(f"{operator} on field '{field}' needs a string, number or boolean, got {_show(operand)}.")
        if operator == "$eq":
            return lambda column, rows: column(field).equal(operand)
        return lambda column, rows: ~column(field).equal(operand)
    if operator in COMPARISONS:
        if isinstance(operand, bool) or not isinstance(operand, (int, float)):
            raise FilterError(f"{operator} on field '{field}' needs a number, got {_show(operand)}.")
        return lambda column, rows: COMPARISONS[operator](column(field).number, operand)
    if operator in ("$in", "$nin"):
        _check_choices(field, operator, operand)
        if operator == "$in":
            return lambda column, rows: column(field).any_of(operand)
        return lambda column, rows: ~column(field).any_of(operand)
    if operator == "$exists":
        if not isinstance(operand, bool):
            raise FilterError(f"$exists on field '{field}' needs true or false, got {_show(operand)}.")
        return lambda column, rows: column(field).present == operand
    raise FilterError(_unknown(operator, f" on field '{field}'"))


def _check_choices(field: str, operator: str, operand) -> None:
    if not isinstance(operand, list):
        raise FilterError(f"{operator} on field '{field}' needs a list of strings or numbers, got {_show(operand)}.")
    if len(operand) > MAX_CHOICES:
        raise FilterError(f"{operator} on field '{field}' has {len(operand)} values; the most is {MAX_CHOICES}.")
    for value in operand:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise FilterError(f"{operator} on field '{field}' takes strings and numbers only, got {_show(value)}.")


def _all_of(parts: list[Predicate]) -> Predicate:
    def mask(column, rows):
        found = np.ones(rows, bool)
        for part in parts:
            found &= part(column, rows)
        return found

    return mask


def _any_of(parts: list[Predicate]) -> Predicate:
    def mask(column, rows):
        found = np.zeros(rows, bool)
        for part in parts:
            found |= part(column, rows)
        return found

    return mask


def _unknown(operator: str, where: str = "") -> str:
    return f"'{operator}'{where} is not a filter operator. There are: {', '.join(OPERATORS)}."


def _example(operator: str) -> str:
    return f'{{"year": {{"{operator}": …}}}}'


def _show(value) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…"
