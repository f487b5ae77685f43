"""What each cleaning step is worth: an ablation with PPMI-SVD; the two largest effects again with Word2Vec.

python benchmarks/cleaning.py [--word2vec]        (about one minute; with Word2Vec about five more)

Every variant differs in one step from the course's recipe (``helpers.datasets.sentences``). Its vectors are compared with
human judgement (WordSim-353) on the pairs that *all* variants know, and the difference to the recipe has a paired
bootstrap interval over these pairs. Writes data/results/cleaning.csv; without --word2vec the rows of Word2Vec stay as
they are, if their variants are still the two largest effects.
"""

import argparse
import bz2
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd
from gensim.corpora.wikicorpus import extract_pages, filter_wiki
from gensim.models import Word2Vec
from gensim.parsing.preprocessing import STOPWORDS
from gensim.test.utils import datapath
from gensim.utils import simple_preprocess
from scipy import sparse
from scipy.sparse.linalg import svds

from helpers import datasets
from helpers.wikitext import split_sentences
from helpers.word_counts import DIMENSIONS, MIN_COUNT, WINDOW, ppmi
from helpers.words import difference, evaluate_words

RESULTS = datasets.DATA / "results" / "cleaning.csv"
RECIPE = "the course's recipe"
SEEDS, PLACEBOS = (1, 2, 3), (1, 2, 3, 4, 5)
WORD2VEC = {"sg": 1, "vector_size": 100, "window": 10, "negative": 5, "sample": 1e-4, "epochs": 20, "workers": 1}


# ---- the steps -----------------------------------------------------------------------------------------------------


def raw_markup() -> list[str]:
    """The articles' pages as they stand in the dump, in the order of articles()."""
    with bz2.open(datapath(datasets.DUMP)) as file:
        pages = {title: markup for title, markup, _ in extract_pages(file, filter_namespaces=("0",))}
    return [pages[title] for title in datasets.articles()["title"]]


def without_urls(texts: list[str]) -> list[str]:
    return [re.sub(r"(https?://|www\.)[^\s|\]}<>]+", " ", text) for text in texts]


def fold_accents(text: str) -> str:
    """á → a, ñ → n: letters taken apart, and their marks thrown away."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def words_of(text: str, *, lower=True, possessive=False, pattern=r"[^\W\d_]+") -> list[str]:
    """The course's tokenizer, its three decisions as switches."""
    text = text if possessive else re.sub(r"['’]s\b", "", text, flags=re.I)
    return re.findall(pattern, text.lower() if lower else text)


def one_number(text: str) -> list[str]:
    """Every number is the same word."""
    return ["0" if word[0].isdigit() else word for word in words_of(text, pattern=r"[^\W\d_]+|\d+")]


def cut(text: str, by: Callable[[str], list[str]] = split_sentences) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        yield from by(paragraph)


def corpus(texts=None, tokenizer=words_of, by=split_sentences) -> list[list[str]]:
    """Texts (by default the articles') to lists of words."""
    texts = datasets.articles()["text"] if texts is None else texts
    return [words for text in texts for part in cut(text, by) if (words := tokenizer(part))]


def counts_of(sentences) -> Counter:
    return Counter(word for sentence in sentences for word in sentence)


def keep_only(sentences, keep: Callable[[str], bool]) -> list[list[str]]:
    """Words that do not pass are taken out, and their neighbours move together."""
    return [kept for sentence in sentences if (kept := [word for word in sentence if keep(word)])]


def subsampled(sentences, sample: float) -> list[list[str]]:
    """Frequent words thrown out at random as Word2Vec does it: kept with √(sample/f) + sample/f, f the word's share."""
    counts, random = counts_of(sentences), np.random.default_rng(0)
    share = {word: count / counts.total() / sample for word, count in counts.items()}
    return keep_only(sentences, lambda word: random.random() < share[word] ** -0.5 + 1 / share[word])


def without_some(seed: int) -> list[list[str]]:
    """The recipe's sentences without a random twentieth: a change that means nothing."""
    kept = np.random.default_rng(seed).random(len(datasets.sentences())) >= 1 / 20
    return [sentence for sentence, stays in zip(datasets.sentences(), kept, strict=True) if stays]


def variants() -> dict[str, Callable[[], list[list[str]]]]:
    """Name → the function that makes its sentences; each differs from the recipe in one step."""
    recipe = datasets.sentences()
    counts = counts_of(recipe)
    decompose = partial(unicodedata.normalize, "NFD")
    placebos = {f"placebo {seed}: one sentence in 20 left out": partial(without_some, seed) for seed in PLACEBOS}
    steps = {
        "markup left in": lambda: corpus(raw_markup()),
        "markup removed by filter_wiki": lambda: corpus(filter_wiki(page) for page in raw_markup()),
        "Unicode in pieces (NFD)": lambda: corpus(map(decompose, datasets.articles()["text"])),
        "accents folded": lambda: corpus(map(fold_accents, datasets.articles()["text"])),
        "URLs removed": lambda: corpus(without_urls(datasets.articles()["text"])),
        "split at spaces only": lambda: corpus(tokenizer=lambda text: text.lower().split()),
        "gensim's simple_preprocess": lambda: corpus(tokenizer=simple_preprocess),
        "case kept": lambda: corpus(tokenizer=partial(words_of, lower=False)),
        "numbers kept": lambda: corpus(tokenizer=partial(words_of, pattern=r"[^\W\d_]+|\d+")),
        "numbers as one word": lambda: corpus(tokenizer=one_number),
        "possessive 's kept": lambda: corpus(tokenizer=partial(words_of, possessive=True)),
        "hyphenated words in one piece": lambda: corpus(
            tokenizer=partial(words_of, pattern=r"[^\W\d_]+(?:-[^\W\d_]+)*")
        ),
        "not split: a paragraph is a sentence": lambda: corpus(by=lambda paragraph: [paragraph]),
        "not split: an article is a sentence": lambda: corpus(
            [text.replace("\n\n", " ") for text in datasets.articles()["text"]], by=lambda text: [text]
        ),
        "stop words dropped": lambda: keep_only(recipe, lambda word: word not in STOPWORDS),
        "rare words closed up": lambda: keep_only(recipe, lambda word: counts[word] >= MIN_COUNT),
        "cut-off at 2 instead of 5": lambda: recipe,
        "subsampled, sample = 1e-3": lambda: subsampled(recipe, 1e-3),
        "subsampled, sample = 1e-4": lambda: subsampled(recipe, 1e-4),
    }
    return {RECIPE: lambda: recipe} | placebos | steps


CUT_OFFS = {"cut-off at 2 instead of 5": 2}


# ---- the vectors ---------------------------------------------------------------------------------------------------


def ppmi_svd(sentences, min_count: int = MIN_COUNT):
    """Vocabulary {word: row} and vectors (V, 100) of any sentences, as helpers.word_counts makes them, but by an exact SVD.

    (The approximate one moves ρ by ± 0.02 with its random start, which is as much as many of these steps.)
    """
    counts = counts_of(sentences)
    kept = sorted((word for word in counts if counts[word] >= min_count), key=lambda word: (-counts[word], word))
    vocabulary = {word: row for row, word in enumerate(kept)}
    places = np.array([vocabulary.get(word, -1) for sentence in sentences for word in sentence])
    number = np.repeat(np.arange(len(sentences)), [len(sentence) for sentence in sentences])
    pairs = []
    for distance in range(1, WINDOW + 1):
        left, right = places[:-distance], places[distance:]
        met = (number[:-distance] == number[distance:]) & (left >= 0) & (right >= 0)
        pairs.append(np.stack([left[met], right[met]]))
    rows, columns = np.concatenate(pairs, axis=1)
    counted = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (len(kept), len(kept)))
    left, strength, _ = svds(ppmi(counted + counted.T), DIMENSIONS, random_state=0)
    return vocabulary, left * np.sqrt(strength)


def in_lower_case(vocabulary, vectors):
    """Each lower-case word gets the vector of its most frequent spelling (US or us); rows are sorted by frequency."""
    rows = {}
    for word, row in vocabulary.items():
        rows.setdefault(word.lower(), row)
    return {word: row for row, word in enumerate(rows)}, vectors[list(rows.values())]


def build(name: str, sentences):
    return in_lower_case(*ppmi_svd(sentences, CUT_OFFS.get(name, MIN_COUNT)))


def train(sentences, seed: int):
    vectors = Word2Vec(sentences, min_count=MIN_COUNT, seed=seed, **WORD2VEC).wv
    return in_lower_case(vectors.key_to_index, vectors.vectors)


# ---- the table -----------------------------------------------------------------------------------------------------


def row(name, method, seed, sentences, vectors, base, common) -> dict:
    """One line of the table: sizes, ρ on the common pairs, and its difference to the recipe's vectors `base`."""
    counts = counts_of(sentences)
    ours = evaluate_words(*vectors, common=common)
    gain = difference(ours, evaluate_words(*base, common=common))
    found = {"rho": ours.rho, "difference": gain[0], "low": gain[1], "high": gain[2]}
    return {
        "variant": name, "method": method, "seed": seed, "tokens": counts.total(), "types": len(counts),
        "words": len(vectors[0]), "pairs_known": evaluate_words(*vectors).n, "n": ours.n,
    } | {key: round(value, 4) for key, value in found.items()}  # fmt: skip


def ablation() -> tuple[pd.DataFrame, list]:
    """The table of all variants, and the vocabularies whose common pairs it is made on."""
    made = {name: make() for name, make in variants().items()}
    built = {}
    for name, sentences in made.items():
        built[name] = build(name, sentences)
        print(f"{name}: {len(built[name][0]):,} words", flush=True)
    common = [vocabulary for vocabulary, _ in built.values()]
    rows = [row(name, "PPMI-SVD", 0, made[name], built[name], built[RECIPE], common) for name in made]
    return pd.DataFrame(rows), common


def confirmation(names, common) -> pd.DataFrame:
    """Rows of Word2Vec: the recipe and the named variants, each on three seeds, compared seed by seed."""
    rows, makers = [], variants()
    sentences = {name: makers[name]() for name in (RECIPE, *names)}
    for seed in SEEDS:
        trained = {name: train(lists, seed) for name, lists in sentences.items()}
        for name, lists in sentences.items():
            rows.append(row(name, "Word2Vec", seed, lists, trained[name], trained[RECIPE], common))
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def two_largest(table) -> list[str]:
    """The two steps that change ρ most; placebos do not count."""
    table = table[~table["variant"].str.startswith("placebo")]
    return table.set_index("variant")["difference"].abs().nlargest(2).index.tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--word2vec", action="store_true", help="train Word2Vec too (nine times)")
    arguments = parser.parse_args()
    table, common = ablation()
    print(table.drop(columns=["method", "seed"]).to_string())
    names = two_largest(table)
    if arguments.word2vec:
        trained = confirmation(names, common)
    else:
        old = pd.read_csv(RESULTS) if RESULTS.exists() else pd.DataFrame(columns=table.columns)
        trained = old[old["method"] == "Word2Vec"]
        if set(trained["variant"]) != {RECIPE, *names}:
            print(f"The rows of Word2Vec are missing or of other variants than {names}: run with --word2vec.")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    pd.concat([table, trained]).to_csv(RESULTS, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
