"""Chroma as the course uses it: a wrong distance or another model is said out loud, and nothing is lost on the way."""

import subprocess
import sys
from pathlib import Path

import chromadb
import numpy as np
import pytest

from helpers import chroma, datasets, encoder
from helpers.chroma import CourseEmbedding, add_in_batches, chroma_client, create_collection, open_collection

ROOT = Path(__file__).resolve().parent.parent
TEXTS = ["The cat sleeps on the sofa.", "Stars are born in clouds of gas.", "The tram was late again."]


@pytest.fixture
def client():
    return chroma_client()


@pytest.fixture
def filled(client):
    collection = create_collection(client, "texts")
    add_in_batches(collection, ["cat", "stars", "tram"], documents=TEXTS)
    return collection


@pytest.fixture
def foreign(client, monkeypatch):
    """A collection that was made when the same name stood for another model, before an update of the weights."""
    with monkeypatch.context() as before:
        before.setattr(encoder, "WEIGHTS_SHA256", "0" * 64)
        return client.create_collection(
            "foreign", embedding_function=CourseEmbedding(), configuration={"hnsw": {"space": "cosine"}}
        )


def test_telemetry_is_off_for_clients_and_for_the_servers_that_lessons_start(client):
    assert client.get_settings().anonymized_telemetry is False
    assert chroma.os.environ["ANONYMIZED_TELEMETRY"] == "False"
    assert chromadb.EphemeralClient().get_settings().anonymized_telemetry is False


def test_clients_in_memory_do_not_see_each_other():
    first, second = chroma_client(), chroma_client()
    create_collection(first, "texts")
    assert second.list_collections() == [] and chromadb.EphemeralClient().list_collections() == []


def test_documents_become_the_encoders_vectors(filled):
    kept = filled.get(ids=["cat", "stars", "tram"], include=["embeddings", "documents"])
    assert kept["documents"] == TEXTS
    assert np.allclose(kept["embeddings"], encoder.embed(TEXTS, precision="float32"), atol=1e-6)
    assert filled.query(query_texts="Where does a kitten rest?", n_results=1)["ids"] == [["cat"]]


def test_distances_are_one_minus_the_cosine(filled):
    asked = encoder.embed("Where does a kitten rest?")
    found = filled.query(query_embeddings=asked * 5, n_results=3)  # its length does not matter
    vectors = dict(zip(["cat", "stars", "tram"], encoder.embed(TEXTS), strict=True))
    cosines = [asked @ vectors[name] for name in found["ids"][0]]
    assert np.allclose(found["distances"][0], 1 - np.array(cosines), atol=1e-5)


def test_a_relative_path_lies_below_the_cache_and_fresh_empties_it(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "CACHE", tmp_path)
    create_collection(chroma_client("17_lesson/texts"), "texts").add("cat", documents=TEXTS[0])
    assert (tmp_path / "17_lesson" / "texts" / "chroma.sqlite3").exists()
    assert open_collection(chroma_client("17_lesson/texts"), "texts").count() == 1
    assert chroma_client("17_lesson/texts", fresh=True).list_collections() == []
    assert [path.name for path in (tmp_path / "17_lesson" / "texts").iterdir()] == ["chroma.sqlite3"]


def test_fresh_leaves_alone_what_is_no_database(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="no Chroma database"):
        chroma_client(tmp_path, fresh=True)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    with pytest.raises(NotADirectoryError, match="is a file"):
        chroma_client(tmp_path / "thesis.txt")


def test_a_damaged_database_is_named_and_can_be_made_anew(tmp_path):
    (tmp_path / "chroma.sqlite3").write_bytes(b"no database" * 1000)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"cannot be opened \(.*not a database.*fresh=True"):
            chroma_client(tmp_path)
    assert chroma_client(tmp_path, fresh=True).list_collections() == []


def test_another_process_reopens_the_collection_by_name(tmp_path):
    client = chroma_client(tmp_path)
    add_in_batches(create_collection(client, "texts"), ["cat", "stars", "tram"], documents=TEXTS)
    client.close()
    code = (
        "import sys, helpers.chroma as c\n"
        "texts = c.chroma_client(sys.argv[1]).get_collection('texts')\n"  # no function given: Chroma builds ours by its name
        "print(texts.query(query_texts='Where does a kitten rest?', n_results=1)['ids'][0][0], texts.count())"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout.split() == ["cat", "3"], ran.stderr


def test_settings_are_read_back(client):
    collection = create_collection(client, "texts", ef_construction=200, max_neighbors=32, sync_threshold=10_000)
    kept = collection.configuration_json["hnsw"]
    assert (kept["space"], kept["ef_construction"], kept["max_neighbors"]) == ("cosine", 200, 32)
    assert kept["sync_threshold"] == 10_000
    with pytest.raises(Exception, match="ef_serach"):
        create_collection(client, "other", ef_serach=100)
    with pytest.raises(ValueError, match="num_threads = None, not 1"):  # taken, but not kept
        create_collection(client, "third", num_threads=1)


def test_a_misspelt_part_of_the_configuration_is_dropped_by_chroma_and_caught_here(client):
    collection = client.create_collection("texts", embedding_function=None, configuration={"hnws": {"space": "cosine"}})
    with pytest.raises(ValueError, match="has space = 'l2', not 'cosine'"):
        chroma.check_settings(collection, space="cosine")


def test_create_replaces_and_open_refuses_what_is_not_there(client, filled):
    assert filled.count() == 3 and open_collection(client, "texts").count() == 3
    assert create_collection(client, "texts").count() == 0
    with pytest.raises(ValueError, match=r"no collection 'text' in this database \(there is texts\)"):
        open_collection(client, "text")
    with pytest.raises(ValueError, match="is the path right"):
        open_collection(chroma_client(), "texts")


def test_open_refuses_another_distance_and_another_function(client):
    client.create_collection("far", embedding_function=CourseEmbedding(), configuration={"hnsw": {"space": "l2"}})
    with pytest.raises(ValueError, match="has space = 'l2'"):
        open_collection(client, "far")
    assert open_collection(client, "far", space="l2").count() == 0
    client.create_collection("plain", configuration={"hnsw": {"space": "cosine"}})
    with pytest.raises(ValueError, match="'default', not with 'course-encoder'"):
        open_collection(client, "plain")
    client.create_collection("bare", embedding_function=None, configuration={"hnsw": {"space": "cosine"}})
    with pytest.raises(ValueError, match="without any embedding function, not with"):
        open_collection(client, "bare")


def test_chroma_accepts_another_model_under_the_same_name_and_we_do_not(client, foreign):
    silently = client.get_collection("foreign", embedding_function=CourseEmbedding())
    silently.add("cat", documents=TEXTS[0])  # this is the trap: no word from Chroma
    with pytest.raises(ValueError, match=r"weights 000000000000….*encode all documents anew"):
        open_collection(client, "foreign")


def test_chroma_itself_asks_our_check_when_it_rebuilds_the_function(client, foreign):
    with pytest.raises(ValueError, match="encode all documents anew"):
        client.get_collection("foreign").query(query_texts="anything", n_results=1)


def test_function_says_what_chroma_asks_it():
    config = CourseEmbedding().get_config()
    assert config["weights_sha256"] == encoder.WEIGHTS_SHA256
    assert isinstance(CourseEmbedding.build_from_config(config), CourseEmbedding)
    assert not CourseEmbedding().is_legacy() and CourseEmbedding().default_space() == "cosine"
    with pytest.raises(ValueError, match="Distances between two models mean nothing"):
        CourseEmbedding.build_from_config({"model": "other"})


def test_a_model_chosen_by_the_learner_has_a_checksum_of_its_own(monkeypatch):
    chroma._checksum_of_state.cache_clear()
    loaded = encoder.load_encoder()  # there is no other model on this machine: ours stands in for the learner's
    monkeypatch.setattr(encoder, "load_encoder", lambda: loaded)
    monkeypatch.setattr(encoder, "HUB_MODEL", "somebody/some-model")
    assert len(chroma.model_checksum()) == 64 and chroma.model_checksum() != encoder.WEIGHTS_SHA256
    with pytest.raises(ValueError, match="somebody/some-model"):
        CourseEmbedding.validate_config({"model": "all-MiniLM-L6-v2", "weights_sha256": encoder.WEIGHTS_SHA256})


def test_batches_keep_every_record_and_may_run_twice(client):
    random = np.random.default_rng(0)
    vectors = random.normal(size=(1_203, 8)).astype(np.float32)
    ids = [f"r{place}" for place in range(len(vectors))]
    collection = create_collection(client, "many")
    for _ in range(2):
        add_in_batches(collection, ids, embeddings=vectors, metadatas=[{"place": i} for i in range(1_203)])
    kept = collection.get(include=["embeddings", "metadatas"])
    order = [each["place"] for each in kept["metadatas"]]
    assert sorted(order) == list(range(1_203))
    assert np.allclose(kept["embeddings"], vectors[order], atol=1e-6)


@pytest.mark.parametrize(
    ("ids", "columns", "message"),
    [
        (["a", "b"], {"documents": ["x"]}, "2 ids, but 1 documents"),
        (["a", "b"], {"embeddings": np.ones((3, 8))}, "2 ids, but 3 embeddings"),
        (["a", "b", "a"], {"documents": ["x", "y", "z"]}, "'a' stands there twice"),
        (["a"], {}, "neither documents nor embeddings"),
        (["a"], {"embeddings": np.array([[1.0, np.nan]])}, "'a' has a vector of NaN"),
        (["a", "b"], {"embeddings": np.array([[1.0, 0], [0, 0]])}, "'b' has a vector of zeros"),
    ],
)
def test_bad_records_are_refused_before_anything_is_written(client, ids, columns, message):
    collection = create_collection(client, "texts")
    with pytest.raises(ValueError, match=message):
        add_in_batches(collection, ids, **columns)
    assert collection.count() == 0


def test_a_batch_over_the_limit_is_refused_by_chroma(client):
    collection, n = create_collection(client, "many"), client.get_max_batch_size() + 1
    with pytest.raises(Exception, match="greater than max batch size"):
        add_in_batches(collection, map(str, range(n)), embeddings=np.ones((n, 2)), batch_size=n)
    add_in_batches(collection, map(str, range(n)), embeddings=np.ones((n, 2)), batch_size=n - 1)
    assert collection.count() == n


def test_empty_text_is_refused(filled):
    with pytest.raises(ValueError, match="is empty"):
        filled.upsert(["none"], documents=[" "])
