"""From what the film finder's page holds to what it shows, without the page: filters, choices with counts, and the answer."""

import re
import traceback
from collections.abc import Sequence

from helpers.films import filtering, rendering
from helpers.films.filtering import Filters
from helpers.films.finder import FAINT, Finder
from helpers.films.texts import TEXTS, films, name, sort_key
from helpers.films.texts import number as number_of
from helpers.films.typed_query import LONGEST, clean, language_of, understood
from helpers.retrieval import words
from helpers.spanish import fold


def filters_of(finder: Finder, genres: Sequence[str], countries: Sequence[str], first, last) -> Filters:
    """The filters that the page's fields mean. An empty year, or years that leave nothing out, are no filter."""
    first, last = (None if year is None else min(max(int(year), 0), 9_999) for year in (first, last))
    filters, years = Filters(tuple(genres or ()), tuple(countries or ()), first, last), finder.films["year"]
    right = filters.in_order()
    all_years = (right.first or 0) <= years.min() and (right.last is None or right.last >= years.max())
    return filters.without("years") if all_years else filters


def choices(finder: Finder, language: str, filters: Filters) -> tuple[list, list]:
    """The choices of the genre and of the country filter, as (what is shown, value): [("War (24)", "War"), …], by name."""
    found = []
    for counts in filtering.counts(finder.films, filters.in_order()).values():
        by_name = sorted(counts, key=lambda value: sort_key(name(value, language)))
        found.append([(f"{name(value, language)} ({counts[value]})", value) for value in by_name])
    return found[0], found[1]


def answer(finder: Finder, language, query, read_as, genres, countries, first, last, number) -> tuple[str, str]:
    """The status and the films (or a message instead of them), as HTML, for what the page's fields hold.

    language: the interface's. read_as: "auto", "en" or "es". An error becomes a message; its traceback goes to the terminal.
    """
    try:
        filters = filters_of(finder, genres, countries, first, last)
        return _answer(finder, language, query or "", read_as, filters, number)
    except Exception:
        traceback.print_exc()
        text = TEXTS[language]
        status = rendering.status([text["broken"]], language)
        return status, rendering.message(text["broken"], [text["broken_why"]], language, "broken")


def _answer(finder: Finder, language: str, typed: str, read_as: str, asked: Filters, number: int) -> tuple[str, str]:
    text, filters, total = TEXTS[language], asked.in_order(), len(finder.films)
    (query, was_cut), passed = clean(typed), filtering.remaining(finder.films, filters)
    notes = [rendering.years_turned(asked, language)]
    if filters.active():
        notes.insert(0, text["pass"].format(n=passed, total=total))
    if was_cut:
        notes.append(text["cut"].format(n=number_of(len(typed), language), longest=LONGEST))
    if not passed:
        helpful = filtering.loosen(finder.films, filters)
        return rendering.status([text["nothing"], *notes], language), rendering.nothing(helpful, language)
    if not query:
        headline = rendering.fill(text["newest"], shown=films(passed, language))
        return rendering.status([headline, *notes], language), rendering.cards(finder.browse(filters, number), language)
    asked_in = language_of(query, language) if read_as == "auto" else read_as
    found = finder.search(query, filters, number, asked_in)
    headline = rendering.fill(text["found"], shown=films(len(found), language), query=rendering.typed(query))
    notes.append(rendering.fill(text[f"read_{asked_in}"], english=rendering.typed(understood(query, asked_in), "en")))
    if not words(query):
        notes.append(text["no_words"])
    elif not re.search(r"[a-z\d]", fold(query)):
        notes.append(text["other_script"])
    elif found[0].closeness != "named" and found[0].score < FAINT:
        notes.append(text["far_off"])
    return rendering.status([headline, *notes], language), rendering.cards(found, language)
