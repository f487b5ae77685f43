"""What lessons 13 and 26 retrieve: the first ten passages of the leaderboard's best retriever, with their scores.

    python benchmarks/rag.py             three to six minutes on one thread

Writes data/results/rag.csv for all labelled questions and for those without an answer: question, form ("typed", or
"gloss": a Spanish question put into English word by word, as in lesson 25), rank, passage, and the passage's MaxSim score
(the mean cosine of the question's tokens, each with its best token of the passage). A question takes most of a second,
so the lessons read this table, and compute a few of its rows again.
"""

import pandas as pd

from helpers import datasets, spanish, systems
from helpers.progress import progress
from helpers.retrieval import max_sim, top_k

RESULTS = datasets.DATA / "results" / "rag.csv"
CANDIDATES, DEPTH = 30, 10  # as systems.maxsim; how many of them are kept


def asked() -> pd.DataFrame:
    """Columns question (its id), form and text: all labelled questions, those without an answer, the glossed Spanish ones."""
    labelled = datasets.questions()
    every = pd.concat([labelled, datasets.unanswerable_questions()])
    typed = pd.DataFrame({"question": every["id"], "form": "typed", "text": every["question"]})
    foreign = labelled[labelled["style"] == "spanish"]
    glosses = foreign["question"].map(spanish.gloss)
    return pd.concat([typed, pd.DataFrame({"question": foreign["id"], "form": "gloss", "text": glosses})])


def rank(texts: list[str]) -> list[list[tuple[str, float]]]:
    """For each question (passage id, MaxSim score) of the first ten, best first: the leaderboard's row, with its scores.

    The token vectors of a passage are kept once made (about 700 MB for all questions of the course).
    """
    passages, tokens = datasets.passages().set_index("id")["text"], {}
    found = []
    candidates = [ranking[:CANDIDATES] for ranking in systems.minilm(texts)]
    pairs = list(zip(texts, candidates, strict=True))
    for text, ids in progress(pairs, f"MaxSim for {len(texts)} questions"):
        new = [each for each in ids if each not in tokens]
        tokens.update(zip(new, systems.token_vectors(passages[new].tolist()) if new else [], strict=True))
        [words] = systems.token_vectors([text])
        scores = [max_sim(words, tokens[each]) for each in ids]
        found.append([(ids[place], scores[place]) for place in top_k(scores, DEPTH)])
    return found


def main() -> None:
    frame = asked()
    rows = [
        (row.question, row.form, place, passage, round(score, 4))
        for row, first in zip(frame.itertuples(), rank(frame["text"].tolist()), strict=True)
        for place, (passage, score) in enumerate(first, 1)
    ]
    table = pd.DataFrame(rows, columns=["question", "form", "rank", "passage", "score"])
    table.to_csv(RESULTS, index=False, lineterminator="\n")
    print(f"{RESULTS.name}: {len(table):,} rows")


if __name__ == "__main__":
    main()
