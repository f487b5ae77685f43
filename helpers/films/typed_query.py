"""What a user of the film finder typed: cleaned, its language, the English that the encoder reads, and whether it is a name."""

import functools

from helpers import datasets, spanish
from helpers.retrieval import words

LONGEST = 300  # characters of a query; a longer one is cut, and the page says so
JOINERS = "\u200c\u200d"  # not printable, but Persian words and many emoji are made with them
# Words around a name ("films by Kurosawa", "la película de Almodóvar"): left out on both sides of the comparison.
AROUND_NAMES = frozenset(
    "a an the by of film films movie movies directed director el la los las un una de del por pelicula peliculas cine".split()
)


def clean(query: str) -> tuple[str, bool]:
    """A query in one line, without control characters and half characters, and whether it had to be cut to LONGEST."""
    head = query[: 10 * LONGEST].encode("utf-8", "replace").decode()  # half an emoji (a lone surrogate) becomes "?"
    text = " ".join("".join(sign if sign.isprintable() or sign in JOINERS else " " for sign in head).split())
    return text[:LONGEST].rstrip(), len(text) > LONGEST or len(query) > 10 * LONGEST


def language_of(query: str, otherwise: str = "en") -> str:
    """The language of a query, "en" or "es": by its marks and small words, else by which plots hold more of its words.

    otherwise: the language where neither tells, as for a name that both have.
    """
    if leaning := spanish.leaning(query):
        return "es" if leaning > 0 else "en"
    known = {key: sum(word in _vocabulary(key) for word in words(spanish.fold(query))) for key in ("en", "es")}
    return otherwise if known["en"] == known["es"] else max(known, key=known.get)


@functools.cache
def _vocabulary(language: str) -> frozenset[str]:
    return frozenset(word for plot in datasets.films()[f"plot_{language}"] for word in words(spanish.fold(plot)))


def understood(query: str, language: str) -> str:
    """The English text that the encoder reads: the query, or a Spanish one word by word in English."""
    return (spanish.gloss(query) or query) if language == "es" else query


def names(film: dict) -> list[tuple[str, ...]]:
    """A film's titles and its directors as lists of folded words; a director also by the last name alone."""
    titles = {_core(film[key]) for key in ("title", "title_es", "original_title")}
    directors = {_core(name) for name in film["director"]}
    return sorted(titles | directors | {name[-1:] for name in directors})


def is_name(query: str, known: list[tuple[str, ...]]) -> bool:
    """Whether a query is one of these names, or two words and more that stand side by side in one."""
    asked = _core(query)
    if len(asked) < 2:
        return asked in known
    return any(asked == name[at : at + len(asked)] for name in known for at in range(len(name) - len(asked) + 1))


@functools.lru_cache(4_096)
def _core(text: str) -> tuple[str, ...]:
    folded = words(spanish.fold(text))
    return tuple(word for word in folded if word not in AROUND_NAMES) or tuple(folded)
