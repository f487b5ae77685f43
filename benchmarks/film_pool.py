"""Which films still want a judge for a film query: the first ten of every route, and of variants that lesson 25 tries.

python benchmarks/film_pool.py > data/cache/unjudged_films.jsonl

As for the questions (benchmarks/pool.py): labels are fair only to routes that were in their pool.
"""

import json

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from helpers import datasets, encoder, film_search, spanish
from helpers.benchmark import K, unjudged
from helpers.retrieval import min_max, top_k


def variants(asked):
    """Name and scores (queries, films) of every variant."""
    films, queries = datasets.films(), asked["query_es"].tolist()
    english, plots = encoder.film_vectors("en"), encoder.film_vectors("es")
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), preprocessor=spanish.fold, sublinear_tf=True)
    matrix = letters.fit_transform(films["plot_es"])
    yield "Spanish character n-grams", (letters.transform(queries) @ matrix.T).toarray()
    left, _, right = np.linalg.svd(plots.T @ english)
    vectors = encoder.embed(queries, precision="float32", progress=False)
    yield "Spanish to English by Procrustes", vectors @ (left @ right) @ english.T
    gloss, lexical = film_search.spanish_gloss(queries), film_search.spanish_bm25(queries)
    for weight in (0.1, 0.2, 0.5):
        yield (
            f"Gloss and BM25, {weight}",
            (1 - weight) * min_max(gloss) + weight * min_max(lexical),
        )
    twins = asked["query_en"].tolist()
    dense, words = film_search.minilm(twins), film_search.english_bm25(twins)
    for weight in (0.1, 0.3):
        yield (
            f"English hybrid, {weight}",
            (1 - weight) * min_max(dense) + weight * min_max(words),
        )


def main() -> None:
    asked, ids = datasets.film_queries(), datasets.films()["id"].to_numpy()
    scores = {
        name: route(asked[f"query_{language}"].tolist()) for name, (language, route) in film_search.ROUTES.items()
    }
    rankings = {name: ids[top_k(found, K)] for name, found in (scores | dict(variants(asked))).items()}
    for pair in unjudged(rankings, asked):
        print(json.dumps(pair))


if __name__ == "__main__":
    main()
