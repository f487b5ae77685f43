"""The encyclopedia cut into chunks of one size, whatever the sentence, with the place of each chunk in its article.

Lesson 13 builds ``spans`` by hand and compares the sizes; their vectors lie in ``data/vectors/`` (benchmarks/chunking.py).
"""

import functools
import re

import numpy as np
import pandas as pd

from helpers import datasets, encoder

# Name of the ready-made vectors → (size, overlap) in MiniLM's tokens, its two special ones included in the size.
CUTS = {"chunks_64": (64, 0), "chunks_128": (128, 0), "chunks_128_overlap_32": (128, 32), "chunks_256": (256, 0)}
TITLED = "passages_with_title"


def spans(text: str, size: int, overlap: int = 0) -> list[tuple[int, int]]:
    """Cut a text between words into chunks of at most ``size`` tokens; (start, end) of each in characters.

    overlap: how many tokens at the end of a chunk come again at the beginning of the next one, at most.
    A single word of more tokens than fit makes a chunk of its own. Raises ValueError for an overlap that leaves no room.

    >>> [("one two three four"[a:b]) for a, b in spans("one two three four", size=4, overlap=1)]
    ['one two', 'two three', 'three four']
    """
    room = size - 2  # [CLS] and [SEP]
    if not 0 <= overlap < room:
        raise ValueError(
            f"An overlap of {overlap} tokens in chunks of {size} leaves no room for anything new: take 0 to {room - 1}."
        )
    words = [(found.start(), found.end(), _tokens(found[0])) for found in re.finditer(r"\S+", text)]
    cut, first = [], 0
    while first < len(words):
        after, used = first, 0
        while after < len(words) and (after == first or used + words[after][2] <= room):
            used += words[after][2]
            after += 1
        cut.append((words[first][0], words[after - 1][1]))
        if after == len(words):
            break
        start, again = after, 0
        while start - 1 > first and again + words[start - 1][2] <= overlap:
            start -= 1
            again += words[start][2]
        first = start
    return cut


@functools.cache
def _tokens(word: str) -> int:
    """Tokens of a word without spaces; WordPiece never looks across a space, so the words' numbers add up."""
    return datasets.count_tokens(word) - 2


@functools.cache
def chunks(size: int, overlap: int = 0) -> pd.DataFrame:
    """All articles in chunks: columns ``id`` (``"Aardvark@0-254"``), ``article``, ``start``, ``end``, ``text``, ``tokens``.

    ``start`` and ``end`` are characters in the article's text; ``tokens`` counts without the two special ones.
    """
    rows = []
    for title, text in zip(datasets.articles()["title"], datasets.articles()["text"], strict=True):
        for start, end in spans(text, size, overlap):
            tokens = sum(_tokens(word) for word in text[start:end].split())
            rows.append((f"{title}@{start}-{end}", title, start, end, text[start:end], tokens))
    return pd.DataFrame(rows, columns=["id", "article", "start", "end", "text", "tokens"])


def chunk_vectors(size: int, overlap: int = 0) -> np.ndarray:
    """Unit vectors of ``chunks(size, overlap)``, (chunks, d) float32: ready-made for the sizes in CUTS, else computed once."""
    name = next((name for name, cut in CUTS.items() if cut == (size, overlap)), None)
    frame = chunks(size, overlap)
    return encoder._ready_made(name, frame) if name else encoder.embed(frame["text"], precision="float32")


def titled_passages() -> pd.DataFrame:
    """The passages with their article's title in front: columns ``id`` and ``text`` (``"Aardvark: The aardvark is …"``)."""
    frame = datasets.passages()
    return pd.DataFrame({"id": frame["id"], "text": frame["article"] + ": " + frame["text"]})


def titled_vectors() -> np.ndarray:
    """Unit vectors of ``titled_passages()``, (4905, d) float32; row i is passage i."""
    return encoder._ready_made(TITLED, titled_passages())
