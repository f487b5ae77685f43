"""The film finder without its web page: a search under filters that says why it found what it found.

    finder = Finder()                                        # loads the model, opens or builds the store: once
    finder.search("a ghost pesters his widow", Filters(genres=("Comedy",)), number=5)      # a list of Match

``helpers.search_app`` puts a page around it; lesson 25 builds both step by step.
"""

import contextlib
import functools
import hashlib
import os
import shutil
import threading
from dataclasses import dataclass, field
from uuid import uuid4

import numpy as np
import pandas as pd

from helpers import chroma, datasets, encoder, spanish
from helpers.films import routes
from helpers.films.filtering import ALL, Filters
from helpers.films.typed_query import clean, is_name, names, understood
from helpers.retrieval import stems, top_k, words
from helpers.wikitext import split_sentences

# The best route for queries of each language on the 32 dev queries: tests/test_film_finder.py measures all routes again.
BEST = {"en": "English twin, MiniLM", "es": "Gloss and Spanish BM25"}
# From which cosine on a match is called close or related, chosen on dev; texts.py says what the words were worth on test.
# Where the best match is below FAINT, nothing was found: on dev there is no such query, nonsense stays below 0.25.
CLOSE, RELATED, FAINT = 0.5, 0.4, 0.3
REMEMBERED = 2_000  # queries whose vectors are kept, about 3 MB
STEMS = {"en": stems, "es": spanish.stems}


@dataclass(frozen=True)
class Match:
    """A film that was found, and why.

    film: its record. closeness: "named" (its title or director was typed), else "close", "related" or "far" by score, the
    cosine of query and plot; "" where nothing was asked. sentence: {language: the sentence of that plot which is nearest
    in meaning}. shared: words of the query that stand, in any form, in the plot of the query's language, shared_in.
    """

    film: dict
    closeness: str = ""
    score: float = 0.0
    sentence: dict[str, str] = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    shared_in: str = "en"


class Finder:
    """All films, their vectors in a Chroma collection, and the encoder: ready when the constructor returns.

    store: a folder below ``data/cache/``; what is there is used again where model and films are still the same.
    """

    def __init__(self, store: str = "search_app"):
        self.films = datasets.films()
        self.records = self.films.to_dict("records")
        self.collection = open_or_build(store, self.films)
        self._row = {name: row for row, name in enumerate(self.films["id"])}
        self._names = [names(film) for film in self.records]
        self._stems = {key: [set(STEMS[key](plot)) for plot in self.films[f"plot_{key}"]] for key in STEMS}
        self._sentences = {key: sentence_vectors(self.films, key) for key in STEMS}
        self._lock = threading.Lock()  # the tokenizer serves one thread at a time
        self.vector = functools.lru_cache(REMEMBERED)(self._vector)
        self.search("warm up", language="es")  # what is made on first use is made now, before the first user

    def browse(self, filters: Filters = ALL, number: int = 10) -> list[Match]:
        """Films without a query, the newest first."""
        rows = self.films[filters.in_order().mask(self.films)].sort_values("year", ascending=False, kind="stable")
        return [Match(film) for film in rows.head(number).to_dict("records")]

    def search(self, query: str, filters: Filters = ALL, number: int = 10, language: str = "en") -> list[Match]:
        """Films that pass the filters: those whose name was typed, then those nearest to the query.

        language: the query's, "en" or "es" (see ``language_of``). A query without any word or sign finds nothing.
        """
        query, filters = clean(query)[0], filters.in_order()
        allowed = int(filters.mask(self.films).sum())
        if not query or not allowed:
            return []
        vector = self.vector(understood(query, language))
        # All that pass, not only the first few: the words' share of the score may bring others to the front.
        found = self.collection.query(
            query_embeddings=[vector], n_results=allowed, where=filters.where(), include=["distances"]
        )
        rows = np.array([self._row[name] for name in found["ids"][0]])
        cosines = scores = 1 - np.array(found["distances"][0])
        if best_route(language) == "Gloss and Spanish BM25":
            scores = cosines + routes.BM25_WEIGHT * routes.spanish_bm25([query])[0][rows]
        named = np.array([is_name(query, self._names[row]) for row in rows])
        best = top_k(scores + 10 * named, number)
        return [self._match(rows[i], query, language, vector, float(cosines[i]), named[i]) for i in best]

    def _match(self, row: int, query: str, language: str, vector: np.ndarray, cosine: float, named: bool) -> Match:
        closeness = "named" if named else "close" if cosine >= CLOSE else "related" if cosine >= RELATED else "far"
        nearest = {key: texts[row][int(np.argmax(of[row] @ vector))] for key, (texts, of) in self._sentences.items()}
        shared = [word for word in words(query) if self._stems[language][row] & set(STEMS[language](word))]
        return Match(self.records[row], closeness, cosine, nearest, tuple(dict.fromkeys(shared)), language)

    def _vector(self, text: str) -> np.ndarray:
        while datasets.count_tokens(text) > datasets.MAX_TOKENS:  # 300 signs of Korean can be more than MiniLM reads
            text = text[: len(text) * 3 // 4]
        with self._lock:
            return encoder.embed(text, precision="float32", progress=False)


def best_route(language: str) -> str:
    """The route in ``routes.ROUTES`` by which queries in a language ("en" or "es") are answered."""
    return BEST[language]


def sentence_vectors(films: pd.DataFrame, language: str) -> tuple[list[list[str]], list[np.ndarray]]:
    """For each film the sentences of its plot, and their unit vectors (sentences, d); Spanish ones are glossed first."""
    texts = [split_sentences(plot) for plot in films[f"plot_{language}"]]
    vectors = encoder.embed(
        [understood(each, language) for sentences in texts for each in sentences], precision="float32"
    )
    return texts, np.split(vectors, np.cumsum([len(sentences) for sentences in texts])[:-1])


def open_or_build(store: str, films: pd.DataFrame):
    """The collection of all films in a folder below ``data/cache/``: opened if it is whole, else built, which takes a second.

    Its folder is named by the checksums of model and films, so another model or another film means another folder. It is
    built aside and then moved, so that two apps which start together never see half of it.
    """
    what = chroma.model_checksum() + films.drop(columns="plot_es").to_json() + "2"
    folder = datasets.CACHE / store / f"films-{hashlib.sha256(what.encode()).hexdigest()[:12]}"
    if folder.exists():
        with contextlib.suppress(ValueError):  # damaged, or of another model
            collection = chroma.open_collection(chroma.chroma_client(folder), "films")
            if collection.count() == len(films):
                return collection
        chroma.chroma_client(folder, fresh=True).close()
        shutil.rmtree(folder)
    aside = folder.with_name(f"{folder.name}-{uuid4().hex[:8]}")
    client = chroma.chroma_client(aside)
    # ef_search above the number of films makes the search exact, at 347 films for less than a millisecond.
    settings = dict(ef_search=2 * len(films), ef_construction=400, max_neighbors=32)
    collection = chroma.create_collection(client, "films", **settings)
    metadatas = films[["year", "country", "genres"]].to_dict("records")
    # In one batch and without a progress bar: a notebook's output must not depend on whether the store was there already.
    collection.upsert(ids=films["id"].tolist(), embeddings=encoder.film_vectors("en"), metadatas=metadatas)
    client.close()
    try:
        os.replace(aside, folder)
    except OSError:  # another app was quicker: its collection is as good
        shutil.rmtree(aside, ignore_errors=True)
    return chroma.open_collection(chroma.chroma_client(folder), "films")
