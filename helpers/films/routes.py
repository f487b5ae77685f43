"""Routes from a query to the films: each gives scores (queries, films), higher is better. Lesson 25 builds and measures them."""

import functools
from collections.abc import Callable, Sequence

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer

from helpers import datasets, encoder, spanish
from helpers.retrieval import BM25, stems, top_k, words
from helpers.wikitext import split_sentences

FOLDS = 5  # film i belongs to fold i % 5: for routes that learn from the films, and are asked about films that they did not see


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


def spanish_letters(queries: Sequence[str]) -> np.ndarray:
    """Spanish queries against the Spanish plots by TF-IDF of three to five letters within words, accents folded."""
    letters, plots = _letters()
    return (letters.transform(queries) @ plots.T).toarray()


def spanish_procrustes(queries: Sequence[str]) -> np.ndarray:
    """Spanish vectors turned by the rotation that brings all Spanish plots nearest to their English twins."""
    return _embedded(queries) @ _rotation(None) @ encoder.film_vectors("en").T


def spanish_procrustes_unseen(queries: Sequence[str]) -> np.ndarray:
    """The same, but each film is scored by a rotation that was learnt from the films of the other folds."""
    english, fold, vectors = encoder.film_vectors("en"), _folds(), _embedded(queries)
    return _by_fold([vectors @ _rotation(part) @ english[fold == part].T for part in range(FOLDS)])


def spanish_dictionary(queries: Sequence[str]) -> np.ndarray:
    """Spanish queries turned into English by a dictionary learnt from all parallel plots (IBM Model 1), then MiniLM."""
    return minilm([translate(query, dictionary(None)) for query in queries])


def spanish_dictionary_unseen(queries: Sequence[str]) -> np.ndarray:
    """The same, but each film is scored with a dictionary that was learnt from the films of the other folds."""
    fold = _folds()
    return _by_fold(
        [minilm([translate(q, dictionary(part)) for q in queries])[:, fold == part] for part in range(FOLDS)]
    )


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
    "Spanish letters": ("es", spanish_letters),
    "Procrustes": ("es", spanish_procrustes),
    "Procrustes, unseen films": ("es", spanish_procrustes_unseen),
    "Learnt dictionary": ("es", spanish_dictionary),
    "Learnt dictionary, unseen films": ("es", spanish_dictionary_unseen),
    "Gloss, then MiniLM": ("es", spanish_gloss),
    "Gloss and Spanish BM25": ("es", spanish_gloss_bm25),
}


def rankings(route: str, split: str = "test", k: int = 100) -> dict[str, list[str]]:
    """{query id: the first k film ids} of a route on the film queries of a split, as ``benchmark.evaluate_films`` takes them."""
    asked, films = datasets.film_queries(split), datasets.films()["id"].to_numpy()
    language, scores = ROUTES[route]
    best = top_k(scores(asked[f"query_{language}"].tolist()), k)
    return {query: films[row].tolist() for query, row in zip(asked["id"], best, strict=True)}


ROUNDS = 3  # of EM; on dev 2 to 10 are equally good


def ibm_model_1(
    pairs: Sequence[tuple[Sequence[str], Sequence[str]]], rounds: int = ROUNDS
) -> dict[str, dict[str, float]]:
    """t[foreign][english]: the probability of an English word, given a foreign one (Brown et al. 1993, Model 1, by EM).

    pairs: lists of words (foreign, English) that say the same. "" is the empty foreign word, to which every pair may
    ascribe what has no counterpart.
    """
    foreign = {word: place for place, word in enumerate(dict.fromkeys(w for f, _ in pairs for w in ["", *f]))}
    english = {word: place for place, word in enumerate(dict.fromkeys(w for _, e in pairs for w in e))}
    links = [  # one link for each English token of a pair and each foreign token beside it
        (token, foreign[f], english[e])
        for token, (e, side) in enumerate((e, side) for side, other in pairs for e in other)
        for f in ["", *side]
    ]
    token, row, column = np.array(links, dtype=np.int64).reshape(-1, 3).T
    cells, cell = np.unique(row * len(english) + column, return_inverse=True)
    row = cells // max(len(english), 1)
    t = np.ones(len(cells))
    for _ in range(rounds):
        share = t[cell] / np.bincount(token, t[cell])[token]  # E: each English token shares itself out
        expected = np.bincount(cell, share)  # M: count, and divide by the foreign word's total
        t = expected / np.bincount(row, expected)[row]
    found: dict[str, dict[str, float]] = {word: {} for word in foreign}
    names, meanings = list(foreign), list(english)
    for place, probability in zip(cells, t, strict=True):
        found[names[place // len(english)]][meanings[place % len(english)]] = float(probability)
    return found


def parallel_sentences(rows: np.ndarray | None = None) -> list[tuple[list[str], list[str]]]:
    """Sentence pairs of the plots, (Spanish stems, English words), without stop words; rows: of some films only.

    Where a plot's two versions have unlike numbers of sentences (4 of 347 films), the whole plot is one pair.
    """
    films = datasets.films() if rows is None else datasets.films().iloc[rows]
    pairs = []
    for spanish_plot, english_plot in zip(films["plot_es"], films["plot_en"], strict=True):
        sides = split_sentences(spanish_plot), split_sentences(english_plot)
        for side in zip(*sides, strict=True) if len(sides[0]) == len(sides[1]) else [(spanish_plot, english_plot)]:
            pairs.append((spanish.stems(side[0]), _content_words(side[1])))
    return pairs


@functools.cache
def dictionary(left_out: int | None = None, rounds: int = ROUNDS) -> dict[str, str]:
    """Spanish stem → its most probable English word, learnt from the parallel plots; left_out: without the films of a fold."""
    rows = None if left_out is None else np.flatnonzero(_folds() != left_out)
    learnt = ibm_model_1(parallel_sentences(rows), rounds)
    return {stem: max(meanings, key=meanings.get) for stem, meanings in learnt.items() if stem}


def translate(text: str, meanings: dict[str, str]) -> str:
    """A Spanish text word by word in English, stop words dropped; words without an entry stay as they are."""
    return " ".join(meanings.get(stem, word) for word in words(text) for stem in spanish.stems(word)) or text


def _content_words(text: str) -> list[str]:
    return [word for word in words(text) if word not in ENGLISH_STOP_WORDS]


def _folds() -> np.ndarray:
    return np.arange(len(datasets.films())) % FOLDS


def _by_fold(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Scores (queries, films) put together from those of the films of each fold."""
    fold = _folds()
    scores = np.empty((len(parts[0]), len(fold)), dtype=np.float32)
    for part, found in enumerate(parts):
        scores[:, fold == part] = found
    return scores


@functools.cache
def _rotation(left_out: int | None) -> np.ndarray:
    """The matrix (d, d) that turns Spanish plots nearest to their English twins (orthogonal Procrustes, Schönemann 1966).

    With fewer plots than dimensions, the directions that no plot has are dropped: how they should turn, nobody can know.
    """
    seen = _folds() != left_out
    spanish_plots, english_plots = encoder.film_vectors("es")[seen], encoder.film_vectors("en")[seen]
    left, _, right = np.linalg.svd(spanish_plots.T.astype(float) @ english_plots)
    return left[:, : seen.sum()] @ right[: seen.sum()]


@functools.cache
def _letters():
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), preprocessor=spanish.fold, sublinear_tf=True)
    return letters, letters.fit_transform(encoder.film_plots("es")["text"])


def _embedded(queries: Sequence[str]) -> np.ndarray:
    return encoder.embed(list(queries), precision="float32", progress=False)


@functools.cache
def _index(language: str, tokenizer: Callable) -> BM25:
    return BM25([tokenizer(text) for text in encoder.film_plots(language)["text"]])


def _bm25(queries: Sequence[str], language: str, tokenizer: Callable) -> np.ndarray:
    index = _index(language, tokenizer)
    return np.array([index.scores(tokenizer(query)) for query in queries])
