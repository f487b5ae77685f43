"""Which films still want a judge for a film query: the first ten of every route, and of variants that lesson 25 tries.

python benchmarks/film_pool.py > data/cache/unjudged_films.jsonl

As for the questions (benchmarks/pool.py): labels are fair only to routes that were in their pool.
"""

import json
import zlib

from helpers import datasets, spanish
from helpers.benchmark import K, unjudged
from helpers.films import routes
from helpers.retrieval import min_max, top_k


def variants(asked):
    """Name and scores (queries, films) of every variant."""
    queries = asked["query_es"].tolist()
    gloss, lexical = routes.spanish_gloss(queries), routes.spanish_bm25(queries)
    for weight in (0.1, 0.2, 0.5):
        yield (
            f"Gloss and BM25, {weight}",
            (1 - weight) * min_max(gloss) + weight * min_max(lexical),
        )
    for share in (0.5, 0.7, 0.85):
        smaller = [gloss_with(share, query) for query in queries]
        yield f"Gloss with {share:.0%} of its words", routes.minilm(smaller)
        yield (
            f"Gloss with {share:.0%} of its words, and BM25",
            routes.minilm(smaller) + routes.BM25_WEIGHT * lexical,
        )
    yield (
        "Learnt dictionary and Spanish BM25",
        routes.spanish_dictionary(queries) + routes.BM25_WEIGHT * lexical,
    )
    for rounds in (1, 2, 5, 10):
        meanings = routes.dictionary(rounds=rounds)
        yield (
            f"Dictionary after {rounds} rounds",
            routes.minilm([routes.translate(q, meanings) for q in queries]),
        )
    twins = asked["query_en"].tolist()
    dense, words = routes.minilm(twins), routes.english_bm25(twins)
    for weight in (0.1, 0.3):
        yield (
            f"English hybrid, {weight}",
            (1 - weight) * min_max(dense) + weight * min_max(words),
        )


def gloss_with(share: float, text: str) -> str:
    """The gloss as if the glossary held only a share of its stems, drawn by their checksums (lesson 25's curve)."""
    return " ".join(filter(None, (spanish.gloss(word) if known(word, share) else word for word in spanish.words(text))))


def known(word: str, share: float) -> bool:
    """Stop words always are; another word where the checksum of its stem, as a number from 0 to 1, is below the share."""
    return all(zlib.crc32(stem.encode()) / 2**32 < share for stem in spanish.stems(word))


def main() -> None:
    asked, ids = datasets.film_queries(), datasets.films()["id"].to_numpy()
    scores = {name: route(asked[f"query_{language}"].tolist()) for name, (language, route) in routes.ROUTES.items()}
    rankings = {name: ids[top_k(found, K)] for name, found in (scores | dict(variants(asked))).items()}
    for pair in unjudged(rankings, asked):
        print(json.dumps(pair))


if __name__ == "__main__":
    main()
