"""Word2Vec and FastText by gensim, with the settings that lesson 7 arrives at; one worker, so that a training repeats."""

from collections.abc import Callable, Sequence

from gensim.models import FastText, Word2Vec

from helpers import datasets

SKIP_GRAM = {
    "sg": 1, "window": 10, "vector_size": 100, "negative": 5, "sample": 1e-4, "min_count": 5, "alpha": 0.025, "epochs": 20,
}  # fmt: skip
CBOW = SKIP_GRAM | {"sg": 0, "alpha": 0.1}
FASTTEXT = SKIP_GRAM | {"alpha": 0.05, "epochs": 10, "min_n": 4, "max_n": 5, "bucket": 50_000}
DEFAULTS = {
    "sg": 0, "window": 5, "vector_size": 100, "negative": 5, "sample": 1e-3, "min_count": 5, "alpha": 0.025, "epochs": 5,
}  # fmt: skip


def train(
    settings: dict, seed: int = 1, sentences: Sequence[Sequence[str]] | None = None, callbacks: Sequence[Callable] = ()
) -> Word2Vec:
    """Train gensim's FastText (where the settings name a ``bucket``) or Word2Vec on one core.

    sentences: lists of words; the encyclopedia's where None. Raises ValueError for an empty corpus, for sentences that are
    texts instead of lists of words (gensim would learn vectors of letters), and where ``min_count`` leaves no word.
    """
    sentences = datasets.sentences() if sentences is None else sentences
    if isinstance(sentences, str) or any(isinstance(sentence, str) for sentence in sentences):
        raise ValueError(
            "A sentence is a text here, so every letter would become a word: split it into a list of words."
        )
    if not any(len(sentence) for sentence in sentences):
        raise ValueError("There is no sentence with a word in it to learn from.")
    model = (FastText if "bucket" in settings else Word2Vec)(**settings, seed=seed, workers=1)
    model.build_vocab(sentences)
    if not len(model.wv):
        raise ValueError(f"No word occurs {model.min_count} times: lower min_count, or take a larger corpus.")
    model.train(sentences, total_examples=model.corpus_count, epochs=model.epochs, callbacks=callbacks)
    return model


def vocabulary_and_vectors(model: Word2Vec):
    """{word: row} and vectors (V, d) of a model, as ``helpers.words.evaluate_words`` takes them."""
    return model.wv.key_to_index, model.wv.vectors
