"""The search engine of lesson 13, with an encoder so small that every score can be worked out by hand."""

import numpy as np
import pytest

from helpers import chunks, datasets
from helpers.retrieval import SearchEngine, top_k, words

TOPICS = ("tea", "cat", "moon", "river")


def embed(texts):
    """Unit vectors that count four words; a little of every topic, so that no text is a zero vector."""
    if isinstance(texts, str):
        return embed([texts])[0]
    counts = np.array([[0.1 + words(text).count(topic) for topic in TOPICS] for text in texts])
    return (counts / np.linalg.norm(counts, axis=1, keepdims=True)).astype(np.float32)


DOCUMENTS = {
    "t1": ("Tea is a drink. The cat is not.", {"kind": "drink", "year": 1990, "tags": ["hot", "green"]}),
    "t2": ("tea tea tea", {"kind": "drink", "year": 2000, "tags": ["hot"]}),
    "c1": ("cat cat", {"kind": "animal", "year": 1990, "tags": []}),
    "m1": ("The moon, the cat and the river.", {"kind": "other", "year": 2010}),
}


@pytest.fixture
def engine():
    engine = SearchEngine(embed)
    texts, metadata = zip(*DOCUMENTS.values(), strict=True)
    engine.add(list(DOCUMENTS), texts, metadata)
    return engine


def ids(hits):
    return [hit.id for hit in hits]


def test_the_nearest_document_comes_first_with_its_cosine_text_and_metadata(engine):
    hit = engine.search("tea")[0]
    assert hit.id == "t2" and hit.text == "tea tea tea" and hit.metadata["year"] == 2000
    assert hit.score == pytest.approx(float(embed("tea") @ embed("tea tea tea")))


def test_equal_scores_keep_the_order_of_adding():
    engine = SearchEngine(embed)
    engine.add(["b", "a", "c"], ["cat", "cat", "tea"])
    assert ids(engine.search("cat")) == ["b", "a", "c"]


def test_results_equal_one_matrix_product_on_many_documents():
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(TOPICS, size=random.integers(1, 9))) for _ in range(300)]
    engine = SearchEngine(embed)
    engine.add([f"d{n}" for n in range(300)], texts)
    for query in ("tea cat", "moon moon river"):
        expected = top_k(embed(texts) @ embed(query), 300)
        for k in (1, 10, 50, 300, 1000):
            assert ids(engine.search(query, k)) == [f"d{n}" for n in expected[:k]]


def test_a_deleted_document_is_found_no_more_and_the_others_keep_their_vectors(engine):
    before = engine.search("cat")
    engine.delete(["c1"])
    after = engine.search("cat")
    assert len(engine) == 3 and ids(after) == [each for each in ids(before) if each != "c1"]
    assert [hit.score for hit in after] == [hit.score for hit in before if hit.id != "c1"]


def test_deleting_an_unknown_document_is_an_error_and_deletes_nothing(engine):
    with pytest.raises(KeyError, match="x9"):
        engine.delete(["t1", "x9"])
    assert len(engine) == 4


def test_a_known_id_replaces_the_old_document(engine):
    engine.add(["t2"], ["moon"], [{"kind": "other"}])
    assert len(engine) == 4 and engine.search("moon")[0].id == "t2"
    assert "t2" not in ids(engine.search("tea", where={"kind": "drink"}))


def test_all_documents_can_be_deleted_and_new_ones_added(engine):
    engine.delete(list(DOCUMENTS))
    assert engine.search("tea") == []
    engine.add(["n"], ["tea"])
    assert ids(engine.search("tea")) == ["n"]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"kind": "drink"}, {"t1", "t2"}),
        ({"kind": "drink", "year": 1990}, {"t1"}),
        ({"year": {1990, 2010}}, {"t1", "c1", "m1"}),
        ({"kind": ["animal", "other"]}, {"c1", "m1"}),
        ({"tags": "green"}, {"t1"}),
        ({"tags": ["green", "hot"]}, {"t1", "t2"}),
        ({"kind": "plant"}, set()),
        ({"year": "1990"}, set()),
        ({}, set(DOCUMENTS)),
        (None, set(DOCUMENTS)),
    ],
)
def test_a_filter_lets_exactly_the_wanted_documents_through(engine, where, found):
    assert set(ids(engine.search("tea", where=where))) == found


def test_a_filter_works_before_the_cut_so_k_results_remain(engine):
    assert ids(engine.search("tea", k=1, where={"kind": "animal"})) == ["c1"]


def test_a_misspelt_field_is_an_error_that_names_the_known_ones(engine):
    with pytest.raises(ValueError, match="'knid'.*kind.*year"):
        engine.search("tea", where={"knid": "drink"})
    with pytest.raises(ValueError, match="'artcle'"):
        engine.search("tea", one_per="artcle")


def test_one_per_field_keeps_the_best_of_each_in_order(engine):
    every = engine.search("tea cat")
    best = {}
    for hit in every:
        best.setdefault(hit.metadata["kind"], hit.id)
    assert ids(engine.search("tea cat", one_per="kind")) == list(best.values())
    assert ids(engine.search("tea cat", k=2, one_per="kind")) == list(best.values())[:2]


def test_documents_without_the_field_are_not_thrown_together():
    engine = SearchEngine(embed)
    engine.add(["a", "b", "c", "d"], ["tea", "tea", "tea", "tea"], [{}, {}, {"g": 1}, {"g": 1}])
    assert ids(engine.search("tea", one_per="g")) == ["a", "b", "c"]


def test_a_snippet_marks_the_sentence_nearest_to_the_query(engine):
    hit = next(hit for hit in engine.search("cat", snippets=True) if hit.id == "t1")
    assert hit.snippet() == "Tea is a drink. **The cat is not.**"
    assert hit.snippet("<mark>", "</mark>") == "Tea is a drink. <mark>The cat is not.</mark>"


def test_without_snippets_nothing_is_marked(engine):
    assert engine.search("cat")[0].snippet() == "cat cat"


def test_re_ranking_orders_the_candidates_anew_and_leaves_the_rest():
    engine = SearchEngine(embed, rerank=lambda query, hits: [len(hit.text) for hit in hits], candidates=2)
    engine.add(["a", "b", "c"], ["tea", "tea tea cat", "cat and a very long text"])
    assert ids(SearchEngine.search(engine, "tea")) == ["b", "a", "c"]
    assert engine.search("tea")[0].score == len("tea tea cat")
    assert ids(engine.search("tea", k=1)) == ["b"], "candidates are fetched even where fewer results are shown"


def test_re_ranking_sees_only_what_passes_the_filter():
    seen = []
    engine = SearchEngine(embed, rerank=lambda query, hits: seen.extend(ids(hits)) or [0] * len(hits))
    engine.add(["a", "b"], ["tea", "tea"], [{"g": 1}, {"g": 2}])
    engine.search("tea", where={"g": 2})
    assert seen == ["b"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((["a", "b"], ["tea"]), "2 ids, 1 texts"),
        ((["a", "a"], ["tea", "cat"]), "'a' comes twice"),
        ((["a"], ["tea"], [{}, {}]), "2 metadata"),
        ((["a"], ["tea"], None, np.ones((1, 3)) / 3**0.5), r"\(1, 3\)"),
        ((["a"], ["tea"], None, np.ones((2, 4)) / 2), r"\(2, 4\)"),
        ((["a"], ["tea"], None, np.ones(4) / 2), r"\(4,\)"),
        ((["a"], ["tea"], None, np.ones((1, 4))), "not of length 1"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(engine, arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        engine.add(*arguments)
    assert len(engine) == 4 and engine.vectors.shape == (4, 4)


def test_adding_nothing_and_searching_nothing_is_no_error():
    engine = SearchEngine(embed)
    engine.add([], [])
    assert len(engine) == 0 and engine.search("tea") == []


# ---- chunks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "overlap"), [(8, 0), (64, 0), (64, 20), (128, 64), (256, 0)])
def test_chunks_cover_every_word_of_an_article_and_keep_to_their_size(size, overlap):
    text = datasets.articles()["text"][3][:20_000].rsplit(" ", 1)[0]
    spans = chunks.spans(text, size, overlap)
    assert spans[0][0] == 0 and spans[-1][1] == len(text.rstrip())
    for (_, end), (start, _) in zip(spans, spans[1:], strict=False):
        between = text[min(start, end) : max(start, end)]
        if overlap:
            assert datasets.count_tokens(between) - 2 <= overlap
        else:
            assert start > end and not between.strip()
    assert max(datasets.count_tokens(text[start:end]) for start, end in spans) <= max(size, 12)


def test_an_overlap_repeats_the_end_of_a_chunk():
    text = "one two three four five six"
    assert [text[a:b] for a, b in chunks.spans(text, 6, 2)] == ["one two three four", "three four five six"]


@pytest.mark.parametrize(("size", "overlap"), [(64, 62), (64, 100), (64, -1), (2, 0)])
def test_an_overlap_that_leaves_no_room_is_refused(size, overlap):
    with pytest.raises(ValueError, match="leaves no room"):
        chunks.spans("one two three", size, overlap)


def test_a_word_too_long_for_a_chunk_stands_alone_and_nothing_hangs():
    text = "tea " + "x1" * 40 + " cup"
    assert [text[a:b] for a, b in chunks.spans(text, 8, 2)] == ["tea", "x1" * 40, "cup"]


def test_an_empty_text_has_no_chunks():
    assert chunks.spans("  ", 64) == []


def test_chunks_know_their_place_and_have_unique_ids():
    frame = chunks.chunks(128, 64)
    texts = datasets.articles().set_index("title")["text"]
    for row in frame.sample(50, random_state=0).itertuples():
        assert texts[row.article][row.start : row.end] == row.text
        assert row.tokens == datasets.count_tokens(row.text) - 2
    assert frame["id"].is_unique


@pytest.mark.parametrize("name", [*chunks.CUTS, chunks.TITLED])
def test_the_ready_made_vectors_are_those_of_their_texts(name):
    from helpers.encoder import HUB_MODEL, embed

    if HUB_MODEL:
        pytest.skip("ready-made vectors are those of the default encoder")
    if name in chunks.CUTS:
        frame, vectors = chunks.chunks(*chunks.CUTS[name]), chunks.chunk_vectors(*chunks.CUTS[name])
    else:
        frame, vectors = chunks.titled_passages(), chunks.titled_vectors()
    assert vectors.shape == (len(frame), vectors.shape[1])
    sample = frame.sample(12, random_state=1).index.to_numpy()
    again = embed(frame["text"].iloc[sample].tolist(), precision="float32")
    assert (vectors[sample] * again).sum(axis=1).min() > 0.999
