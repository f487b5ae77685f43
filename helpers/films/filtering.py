"""Filters of the film finder: which films pass, in pandas for exact counts and in Chroma's words for the search."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Filters:
    """What a film must be: of one of the genres, from one of the countries, of the years first to last (None: no limit)."""

    genres: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    first: int | None = None
    last: int | None = None

    def in_order(self) -> "Filters":
        """The same filters, with a range of years that stands the wrong way round turned."""
        turned = self.first is not None and self.last is not None and self.first > self.last
        return replace(self, first=self.last, last=self.first) if turned else self

    def active(self) -> list[str]:
        """Which of "genres", "countries" and "years" are set."""
        years = self.first is not None or self.last is not None
        return ["genres"] * bool(self.genres) + ["countries"] * bool(self.countries) + ["years"] * years

    def without(self, what: str) -> "Filters":
        """The same filters, with "genres", "countries" or "years" taken off."""
        return replace(self, first=None, last=None) if what == "years" else replace(self, **{what: ()})

    def mask(self, films: pd.DataFrame) -> np.ndarray:
        """Which of the films pass, shape (films,) bool."""
        passed = np.ones(len(films), dtype=bool)
        if self.genres:
            passed &= np.array([not set(self.genres).isdisjoint(genres) for genres in films["genres"]])
        if self.countries:
            passed &= films["country"].isin(self.countries).to_numpy()
        if self.first is not None:
            passed &= (films["year"] >= self.first).to_numpy()
        if self.last is not None:
            passed &= (films["year"] <= self.last).to_numpy()
        return passed

    def where(self) -> dict | None:
        """The same as Chroma's ``where``; None where no filter is set, since Chroma refuses an empty one."""
        genres = [{"genres": {"$contains": genre}} for genre in self.genres]  # a list answers to $contains, not to $in
        parts = [{"$or": genres} if len(genres) > 1 else genres[0]] if genres else []
        parts += [{"country": {"$in": list(self.countries)}}] if self.countries else []
        parts += [{"year": {"$gte": self.first}}] if self.first is not None else []
        parts += [{"year": {"$lte": self.last}}] if self.last is not None else []
        return {"$and": parts} if len(parts) > 1 else parts[0] if parts else None


ALL = Filters()  # every film passes


def remaining(films: pd.DataFrame, filters: Filters) -> int:
    """How many films pass."""
    return int(filters.mask(films).sum())


def counts(films: pd.DataFrame, filters: Filters) -> dict[str, dict[str, int]]:
    """{"genres": {"War": 24, …}, "countries": {…}}: films of each choice, where the *other* filters stay as they are.

    As in a shop: choices within one filter add up, so a filter does not count itself.
    """
    genres = films.explode("genres").groupby("genres")["id"].count()
    found = {"genres": genres * 0, "countries": films.groupby("country")["id"].count() * 0}
    for what, column in (("genres", "genres"), ("countries", "country")):
        passed = films[filters.without(what).mask(films)].explode(column)
        found[what] = found[what].add(passed.groupby(column)["id"].count(), fill_value=0).astype(int)
    return {what: each.to_dict() for what, each in found.items()}


def loosen(films: pd.DataFrame, filters: Filters) -> dict[str, int]:
    """{filter: films that pass without it}, for the filters whose removal would show a film; the most helpful first."""
    found = {what: remaining(films, filters.without(what)) for what in filters.active()}
    return {what: n for what, n in sorted(found.items(), key=lambda item: -item[1]) if n}
