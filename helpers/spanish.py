"""Searching English texts in Spanish without a multilingual model: Spanish words, a glossary, and the routes of lesson 25."""

import csv
import functools
import re

import Stemmer
from bm25s.stopwords import STOPWORDS_SPANISH

from helpers import datasets

# Small words by which a text's language is told; those that both languages use (a, no) are left out.
SMALL_WORDS = {
    "es": frozenset(
        "qué cuál cuáles quién quiénes cuándo cuánto cuántos cuánta cuántas cómo dónde por el la los las un una de del en y "
        "que se con para su sus fue es era son al lo como según desde".split()
    ),
    "en": frozenset(
        "the of in and to is was are were what which who whom when where why how did does do for on by with".split()
    ),
}
ACCENTS = str.maketrans("áéíóúüàèìòùâêîôûäëïö", "aeiouuaeiouaeiouaeio")  # ñ is a letter of its own: año is not ano


def fold(text: str) -> str:
    """Lower case without accents; ñ stays.

    >>> fold("El Año Pasado en Málaga")
    'el año pasado en malaga'
    """
    return text.lower().translate(ACCENTS)


@functools.cache
def stem(word: str) -> str:
    """The folded stem of a Spanish word (Snowball, Porter 2001): the key of the glossary.

    >>> stem("corrió"), stem("canciones")
    ('corr', 'cancion')
    """
    return fold(Stemmer.Stemmer("spanish").stemWord(word.lower()))


def words(text: str) -> list[str]:
    """Lower-case words and numbers, accents kept.

    >>> words("¿Quién mató a 12 hombres?")
    ['quién', 'mató', 'a', '12', 'hombres']
    """
    return re.findall(r"\w+", text.lower())


def stems(text: str) -> list[str]:
    """Stems of the words that are no stop words (bm25s's Spanish list): what BM25 compares.

    >>> stems("La niña que corría por las calles")
    ['niñ', 'corr', 'call']
    """
    return [stem(word) for word in words(text) if word not in _stop_words()]


@functools.cache
def _stop_words() -> frozenset[str]:
    return frozenset(STOPWORDS_SPANISH) | frozenset(map(fold, STOPWORDS_SPANISH))


@functools.cache
def glossary() -> dict[str, str]:
    """Spanish stem → English word or words ("" for words that are best dropped), from ``data/glossary_es_en.tsv``.

    Raises ValueError for a damaged line or a stem that stands there twice.
    """
    return _read("glossary_es_en.tsv")


@functools.cache
def forms() -> dict[str, str]:
    """Folded word form → its one English word, where a stem joins several words (*primer* and *primo*); looked up first."""
    return _read("glossary_forms_es_en.tsv")


def _read(name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    with open(datasets.DATA / name, encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE), 1):
            if len(row) != 2 or not row[0] or row[0] in found:
                what = f"{row[0]!r} stands there twice" if row and row[0] in found else "not: Spanish, tab, English"
                raise ValueError(f"Line {number} of data/{name} is damaged ({what}): restore it with git checkout.")
            found[row[0]] = row[1]
    return found


def gloss(text: str) -> str:
    """A Spanish text word by word in English; words that the glossary does not hold stay as they are.

    No grammar, no order: enough for an encoder that takes the mean over its tokens.

    >>> gloss("El fantasma del primer marido")
    'ghost of first husband'
    """
    return " ".join(filter(None, (_english(word) for word in words(text))))


def _english(word: str) -> str:
    known = forms().get(fold(word))
    return glossary().get(stem(word), word) if known is None else known


def coverage(text: str) -> float:
    """Share of the words of a text (stop words left out) that the glossary holds; 1.0 where there is no such word."""
    content = [word for word in words(text) if word not in _stop_words()]
    return sum(fold(word) in forms() or stem(word) in glossary() for word in content) / len(content) if content else 1.0


def leaning(text: str) -> int:
    """How much a text looks like Spanish (above 0) rather than English (below 0): by its marks, else by its small words.

    >>> leaning("¿Quién?") > 0, leaning("the cat of the king"), leaning("Casablanca")
    (True, -3, 0)
    """
    if re.search("[¿¡ñ]", text):
        return 100
    found = words(text)
    return sum(word in SMALL_WORDS["es"] for word in found) - sum(word in SMALL_WORDS["en"] for word in found)


def is_spanish(text: str) -> bool:
    """Whether a text looks more like Spanish than like English."""
    return leaning(text) > 0
