"""Which passages still want a judge: the first ten of every retriever of the leaderboard, and of variants that later lessons try.

python benchmarks/pool.py > data/cache/unjudged.jsonl

Labels are fair only to retrievers that were in their pool, or that find what the pool found. So besides the systems of
``helpers.systems`` the pool holds fusions with other weights and vectors cut to one bit per dimension.
"""

import json

import numpy as np

from helpers import datasets, encoder, systems
from helpers.benchmark import K, unjudged
from helpers.retrieval import reciprocal_rank_fusion, top_k


def variants(questions):
    """Name and rankings (a list of passage ids per question) of every variant."""
    ids = datasets.passages()["id"].to_numpy()
    vectors = encoder.passage_vectors()
    asked = encoder.embed(questions, precision="float32", progress=False)
    bits, asked_bits = np.where(vectors > 0, 1.0, -1.0), np.where(asked > 0, 1.0, -1.0)
    yield "MiniLM, passages in bits", [ids[row].tolist() for row in top_k(asked @ bits.T, K)]
    yield "MiniLM, both in bits", [ids[row].tolist() for row in top_k(asked_bits @ bits.T, K)]
    dense = systems.minilm(questions)
    for name, lexical in (("stems", systems.bm25_stems(questions)), ("words", systems.bm25(questions))):
        for weight in (0.1, 0.2, 0.35):
            fused = [reciprocal_rank_fusion(pair, [weight, 1 - weight]) for pair in zip(lexical, dense, strict=True)]
            yield f"Hybrid, {name}, weight {weight}", fused


def main() -> None:
    asked = datasets.questions()
    texts = asked["question"].tolist()
    ranked = {name: system.rank(texts) for name, system in systems.SYSTEMS.items()} | dict(variants(texts))
    for pair in unjudged(ranked, asked):
        print(json.dumps(pair))


if __name__ == "__main__":
    main()
