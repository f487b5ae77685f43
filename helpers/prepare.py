"""``python -m helpers.prepare``: everything that lessons would otherwise compute while somebody waits. Quick when done."""

from helpers import datasets, encoder, systems
from helpers.films import finder


def main() -> None:
    print("Encyclopedia …", flush=True)
    passages = datasets.passages()
    print(f"  {passages['article'].nunique()} articles, {len(passages):,} passages", flush=True)
    print("Encoder and ready-made vectors …", flush=True)
    encoder.load_encoder()
    print(f"  passages: {encoder.passage_vectors().shape[1]} dimensions", flush=True)
    print("A vector for each sentence of the encyclopedia (lesson 13; one to three minutes, once) …", flush=True)
    print(f"  {len(systems.sentence_index()[1]):,} sentences", flush=True)
    print("A vector for each sentence of the films (lesson 25) …", flush=True)
    for language in finder.BEST:
        finder.sentence_vectors(datasets.films(), language)


if __name__ == "__main__":
    main()
