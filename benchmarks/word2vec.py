"""A race: helpers.skipgram, which lesson 8 builds, beside gensim's skip-gram on the same words, settings and epochs.

python benchmarks/word2vec.py [--json] [--picture] [--epochs 20] [--rounds 3] [--workers 1 2 3 4] [--sentences 20678]

First gensim runs with each number of workers, and its fastest goes on. Then the two take turns, one seed a round, so that a slow
minute of the machine hits both; the table shows medians, and ``ratio`` is the median of the ratios within a round. Both get lists of
words and know the vocabulary already; ours turns the words into numbers within its time, gensim looks them up as it trains.
``cores_ours_got`` says whether the machine was quiet: well below the number of threads, others were using it, and the ratio is void.
``--picture`` draws docs/word2vec_race.png: speed by cores and by the size of the corpus.
"""

import argparse
import json
import time

import numba
import numpy as np
from gensim.models import Word2Vec

from helpers import datasets, skipgram, words

SETTINGS = {
    "window": 10,
    "negative": 5,
    "sample": 1e-4,
    "min_count": 5,
    "vector_size": 100,
    "alpha": 0.025,
    "min_alpha": 1e-4,
}
PICTURE = datasets.DATA.parent / "docs" / "word2vec_race.png"


def run_gensim(sentences, epochs, seed, workers):
    """Seconds of training, {word: row} and vectors (V, 100)."""
    model = Word2Vec(**SETTINGS, sg=1, workers=workers, seed=seed)
    model.build_vocab(sentences)
    start = time.perf_counter()
    model.train(sentences, total_examples=model.corpus_count, epochs=epochs)
    return time.perf_counter() - start, model.wv.key_to_index, model.wv.vectors


def run_ours(sentences, epochs, seed, threads):
    """The same, the encoding of the text included in the seconds."""
    start = time.perf_counter()
    corpus = skipgram.encode(sentences, SETTINGS["min_count"])
    model = skipgram.train(corpus, dimensions=SETTINGS["vector_size"], window=SETTINGS["window"], negatives=SETTINGS["negative"],
                           sample=SETTINGS["sample"], rate=SETTINGS["alpha"], epochs=epochs, seed=seed, threads=threads)  # fmt: skip
    return time.perf_counter() - start, model.vocabulary, model.vectors


def speeds(run, sentences, epochs, rounds, teams) -> dict[int, float]:
    """Words per second, median of the rounds, for each number of workers or threads; the teams take turns."""
    n_words = sum(map(len, sentences)) * epochs
    seconds = {team: [] for team in teams}
    for seed in range(1, rounds + 1):
        for team in teams:
            seconds[team].append(run(sentences, epochs, seed, team)[0])
    return {team: round(n_words / float(np.median(times))) for team, times in seconds.items()}


def race(sentences, epochs, rounds, workers) -> dict:
    run_ours(sentences[:500], 1, 1, 1)  # compiles
    threads, n_words = numba.get_num_threads(), sum(map(len, sentences)) * epochs
    trial = speeds(run_gensim, sentences, max(1, epochs // 10), min(rounds, 3), workers)
    best = max(trial, key=trial.get)
    teams = {"gensim": lambda seed: run_gensim(sentences, epochs, seed, best),
             "ours": lambda seed: run_ours(sentences, epochs, seed, threads)}  # fmt: skip
    speed, rho = {name: [] for name in teams}, {name: [] for name in teams}
    vocabularies, cores = {}, []
    for seed in range(1, rounds + 1):
        for name in sorted(teams, reverse=seed % 2 == 0):  # who begins changes from round to round
            before = time.process_time()
            seconds, vocabularies[name], vectors = teams[name](seed)
            if name == "ours":
                cores.append((time.process_time() - before) / seconds)
            speed[name].append(n_words / seconds)
            rho[name].append(words.evaluate_words(vocabularies[name], vectors).rho)
    assert set(vocabularies["gensim"]) == set(vocabularies["ours"]), "the two do not know the same words"
    return {
        "words": n_words // epochs,
        "vocabulary": len(vocabularies["ours"]),
        "epochs": epochs,
        "seeds": rounds,
        "threads": threads,
        "gensim_by_workers": trial,
        "gensim_workers": best,
        "words_per_second": {name: {"lowest": round(min(found)), "median": round(float(np.median(found))),
                                    "highest": round(max(found))} for name, found in speed.items()},
        "cores_ours_got": round(min(cores), 2),
        "ratio": round(float(np.median(np.divide(speed["ours"], speed["gensim"]))), 2),
        "ratio_lowest": round(float(np.divide(speed["ours"], speed["gensim"]).min()), 2),
        "rho_ours": round(float(np.mean(rho["ours"])), 4),
        "rho_gensim": round(float(np.mean(rho["gensim"])), 4),
        "rho_each": {name: [round(value, 4) for value in found] for name, found in rho.items()},
    }  # fmt: skip


def draw(sentences, rounds, epochs=3) -> None:
    """The picture: words per second by workers or threads, and by the size of the corpus (its own beginning, or repeated)."""
    import matplotlib.pyplot as plt

    from helpers.plots import COLOURS

    cores = numba.get_num_threads()
    run_ours(sentences[:500], 1, 1, 1)
    teams = range(1, max(4, cores) + 1)
    by_team = {"gensim": speeds(run_gensim, sentences, epochs, rounds, teams),
               "ours": speeds(run_ours, sentences, epochs, rounds, teams)}  # fmt: skip
    best = max(by_team["gensim"], key=by_team["gensim"].get)
    sizes = {
        0.1: sentences[: len(sentences) // 10],
        0.3: sentences[: len(sentences) * 3 // 10],
        1: sentences,
        3: sentences * 3,
    }
    n_words = [sum(map(len, part)) for part in sizes.values()]
    by_size = {"gensim": [speeds(run_gensim, part, epochs, rounds, [best])[best] for part in sizes.values()],
               "ours": [speeds(run_ours, part, epochs, rounds, [cores])[cores] for part in sizes.values()]}  # fmt: skip
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), sharey=True)
    for name, colour, marker in (("ours", COLOURS["blue"], "o"), ("gensim", COLOURS["orange"], "s")):
        left.plot(
            list(by_team[name]), np.divide(list(by_team[name].values()), 1e6), marker=marker, color=colour, label=name
        )
        right.plot(n_words, np.divide(by_size[name], 1e6), marker=marker, color=colour, label=name)
    left.set(xlabel=f"workers or threads (on {cores} cores)", ylabel="million words per second", xticks=list(teams))
    left.set_ylim(bottom=0)
    right.set(xlabel=f"words in the corpus (ours: {cores} threads, gensim: {best} workers)", xscale="log")
    left.legend()
    figure.suptitle("Skip-gram with negative sampling: speed by cores and by the size of the corpus", x=0.01, ha="left")
    figure.savefig(PICTURE, dpi=110)
    print(
        f"{PICTURE.name} drawn: {by_team}, {dict(zip(n_words, zip(by_size['ours'], by_size['gensim'], strict=True), strict=True))}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--picture", action="store_true", help="draw docs/word2vec_race.png instead of racing")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3, help="rounds, each with a seed of its own")
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[1, 2, 3, 4], help="numbers of workers to try gensim with"
    )
    parser.add_argument("--sentences", type=int, default=None, help="only the first so many sentences")
    options = parser.parse_args()
    sentences = datasets.sentences()[: options.sentences]
    if options.picture:
        draw(sentences, options.rounds)
        return
    found = race(sentences, options.epochs, options.rounds, options.workers)
    if options.json:
        print(json.dumps(found))
        return
    print(
        f"{found['words']:,} words, vocabulary {found['vocabulary']:,}, {found['epochs']} epochs, {found['seeds']} seeds"
    )
    print(f"{SETTINGS}\n")
    for workers, speed in found["gensim_by_workers"].items():
        print(f"gensim, {workers} workers: {speed:12,} words/s")
    for name, team in {"gensim": f"{found['gensim_workers']} workers", "ours": f"{found['threads']} threads"}.items():
        speed = found["words_per_second"][name]
        print(f"{name:7} {team:10} {speed['median']:11,.0f} words/s (from {speed['lowest']:,.0f} to {speed['highest']:,.0f}), "
              f"mean WordSim-353 ρ {found['rho_' + name]:.3f} {found['rho_each'][name]}")  # fmt: skip
    print(f"\ncores that ours got in its worst round: {found['cores_ours_got']:.2f} of {found['threads']}", end="")
    print(": the machine was not quiet, repeat the race" if found["cores_ours_got"] < 0.85 * found["threads"] else "")
    print(f"ratio {found['ratio']:.2f} (lowest of the rounds {found['ratio_lowest']:.2f}), "
          f"difference of mean ρ {found['rho_ours'] - found['rho_gensim']:+.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
