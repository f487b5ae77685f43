"""Routes from a query to the films: each gives scores (queries, films), higher is better. Lesson 25 builds and measures them."""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from helpers import datasets, encoder, spanish
from helpers.retrieval import BM25, stems, top_k


def minilm(queries: Sequence[str]) -> np.ndarray:
    """Queries as they are against the English plots: with English twins the ceiling, with Spanish ones the naive route."""
    return _embedded(queries) @ encoder.film_vectors("en").T


def english_bm25(queries: Sequence[str]) -> np.ndarray:
    """English queries against the English plots, BM25 on stems without stop words."""
    return _bm25(queries, "en", stems)


def spanish_minilm_spanish_plots(queries: Sequence[str]) -> np.ndarray:
    """Spanish queries as they are against the Spanish plots, both read by the English encoder."""
    return _embedded(queries) @ encoder.film_vectors("es").T


def spanish_bm25(queries: Sequence[str]) -> np.ndarray:
    """Spanish queries against the Spanish plots, BM25 on folded stems without stop words."""
    return _bm25(queries, "es", spanish.stems)


def spanish_gloss(queries: Sequence[str]) -> np.ndarray:
    """Spanish queries turned into English word by word, then MiniLM on the English plots."""
    return minilm([spanish.gloss(query) or query for query in queries])


def spanish_gloss_bm25(queries: Sequence[str]) -> np.ndarray:
    """The gloss route's cosines plus a little Spanish BM25, as it is: where no word is shared it adds nothing."""
    return spanish_gloss(queries) + BM25_WEIGHT * spanish_bm25(queries)


BM25_WEIGHT = 0.02  # from 0.01 to 0.05 it makes no difference on dev

# Name of the route → (which twin it is asked with, the function).
ROUTES: dict[str, tuple[str, Callable[[Sequence[str]], np.ndarray]]] = {
    "English twin, MiniLM": ("en", minilm),
    "English twin, BM25": ("en", english_bm25),
    "Spanish, MiniLM on English plots": ("es", minilm),
    "Spanish, MiniLM on Spanish plots": ("es", spanish_minilm_spanish_plots),
    "Spanish BM25": ("es", spanish_bm25),
    "Gloss, then MiniLM": ("es", spanish_gloss),
    "Gloss and Spanish BM25": ("es", spanish_gloss_bm25),
}


def rankings(route: str, split: str = "test", k: int = 100) -> dict[str, list[str]]:
    """{query id: the first k film ids} of a route on the film queries of a split, as ``benchmark.evaluate_films`` takes them."""
    asked, films = datasets.film_queries(split), datasets.films()["id"].to_numpy()
    language, scores = ROUTES[route]
    best = top_k(scores(asked[f"query_{language}"].tolist()), k)
    return {query: films[row].tolist() for query, row in zip(asked["id"], best, strict=True)}


def _embedded(queries: Sequence[str]) -> np.ndarray:
    return encoder.embed(list(queries), precision="float32", progress=False)


@functools.cache
def _index(language: str, tokenizer: Callable) -> BM25:
    return BM25([tokenizer(text) for text in encoder.film_plots(language)["text"]])


def _bm25(queries: Sequence[str], language: str, tokenizer: Callable) -> np.ndarray:
    index = _index(language, tokenizer)
    return np.array([index.scores(tokenizer(query)) for query in queries])
