"""Spanish words, the glossary, and the routes from a Spanish query to an English plot."""

import re

import numpy as np
import pytest

from helpers import datasets, encoder, spanish
from helpers.films import routes


def test_accents_go_and_the_letter_enye_stays():
    assert spanish.fold("El Año Pasado, ¿quién ganó el pingüino?") == "el año pasado, ¿quien gano el pinguino?"
    assert spanish.stem("año") != spanish.stem("ano")


@pytest.mark.parametrize(("typed", "meant"), [("cancion", "canción"), ("ninas", "ninas"), ("PELÍCULAS", "película")])
def test_what_is_typed_in_haste_has_the_same_stem(typed, meant):
    assert spanish.stem(typed) == spanish.stem(meant)


def test_stop_words_are_dropped_with_and_without_accents():
    assert spanish.stems("¿Qué estaba haciendo él también? / que estaba haciendo el tambien") == ["hac", "hac"]


def test_the_glossary_is_large_and_in_order():
    lines = (datasets.DATA / "glossary_es_en.tsv").read_text(encoding="utf-8").splitlines()
    stems = [line.split("\t")[0] for line in lines]
    assert len(stems) >= 2_500 and stems == sorted(set(stems))
    assert all(re.fullmatch(r"[a-z0-9' -]*", line.split("\t")[1]) for line in lines)
    assert all(spanish.fold(stem) == stem for stem in stems)


def test_forms_part_what_a_stem_joins():
    forms = spanish.forms()
    assert list(forms) == sorted(forms) and all(re.fullmatch("[a-z0-9ñ]+", form) for form in forms)
    assert all(re.fullmatch(r"[a-z0-9' -]*", english) for english in forms.values())
    assert all(spanish.glossary().get(spanish.stem(form)) != english for form, english in forms.items())
    assert spanish.gloss("mi primo, el primer hijo; mi hija") == "cousin first son daughter"


def test_the_glossary_knows_the_plots():
    words = sum(spanish.coverage(plot) for plot in datasets.films()["plot_es"]) / len(datasets.films())
    assert words > 0.99


def test_a_text_is_glossed_word_by_word_and_unknown_words_stay():
    assert spanish.gloss("¡La canción triste de Xochimilco!") == "song sad of xochimilco"
    assert spanish.gloss("el la los") == ""
    assert spanish.coverage("niña qwertyuiop") == 0.5 and spanish.coverage("el la") == 1.0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("niñ\tgirl\nniñ\tboy\n", "Line 2 .*'niñ' stands there twice"),
        ("niñ girl\n", r"Line 1 .*\(not: Spanish, tab, English"),
    ],
)
def test_a_damaged_glossary_is_named(content, says, tmp_path, monkeypatch):
    (tmp_path / "glossary_es_en.tsv").write_text(content, encoding="utf-8")
    monkeypatch.setattr(datasets, "DATA", tmp_path)
    with pytest.raises(ValueError, match=says):
        spanish.glossary.__wrapped__()


@pytest.mark.parametrize("route", routes.ROUTES)
def test_a_route_gives_a_score_for_each_film(route):
    language, scores = routes.ROUTES[route]
    asked = ["a man on the moon", "zzz"] if language == "en" else ["un hombre en la luna", "el", "zzz"]
    assert scores(asked).shape == (len(asked), len(datasets.films()))


def test_the_gloss_route_finds_what_the_spanish_route_does_not():
    asked, films = ["un cazador de tiburones en la playa"], datasets.films()["id"]
    place = (films == "jaws-1975").to_numpy().argmax()
    ranks = [(scores(asked)[0] > scores(asked)[0, place]).sum() for scores in (routes.minilm, routes.spanish_gloss)]
    assert ranks[1] < 3 < ranks[0]


def test_model_1_lines_the_words_up():
    t = routes.ibm_model_1([(["casa", "verde"], ["green", "house"]), (["la", "casa"], ["the", "house"])], rounds=30)
    best = {word: max(meanings, key=meanings.get) for word, meanings in t.items() if word}
    assert best == {"casa": "house", "verde": "green", "la": "the"}
    assert all(abs(sum(meanings.values()) - 1) < 1e-9 for meanings in t.values())


def test_one_round_of_model_1_shares_each_english_word_out_evenly():
    t = routes.ibm_model_1([(["casa", "verde"], ["green", "house"]), (["la", "casa"], ["the", "house"])], rounds=1)
    assert t["casa"] == pytest.approx({"green": 1 / 4, "house": 1 / 2, "the": 1 / 4})
    assert t["verde"] == pytest.approx({"green": 1 / 2, "house": 1 / 2})


def test_model_1_never_makes_the_texts_less_probable():
    pairs = routes.parallel_sentences()[:60]

    def log_likelihood(t):
        return sum(np.log(sum(t[f][e] for f in ["", *side]) / (len(side) + 1)) for side, other in pairs for e in other)

    likelihoods = [log_likelihood(routes.ibm_model_1(pairs, rounds)) for rounds in (1, 2, 3, 5)]
    assert likelihoods == sorted(likelihoods)


def test_the_learnt_dictionary_knows_what_it_saw_and_nothing_else():
    everything, without_a_fold = routes.dictionary(), routes.dictionary(0)
    assert everything[spanish.stem("guerra")] == "war" and everything[spanish.stem("perro")] == "dog"
    assert set(without_a_fold) < set(everything)
    assert routes.translate("¡La guerra de los qwertyuiop!", everything) == "war qwertyuiop"
    assert routes.translate("¿y qué?", everything) == "¿y qué?", (
        "stop words alone are kept: an empty text has no vector"
    )


def test_sentences_are_paired_and_none_is_lost():
    pairs = routes.parallel_sentences()
    assert sum(len(side) for side, _ in pairs) == sum(len(spanish.stems(plot)) for plot in datasets.films()["plot_es"])
    assert all(side and other for side, other in pairs)


def test_the_bridge_takes_the_plots_that_it_saw_to_their_twins_and_hardly_any_other():
    plots, twins = encoder.film_vectors("es"), encoder.film_vectors("en")
    found = (plots @ routes._rotation(None) @ twins.T).argmax(axis=1) == np.arange(len(plots))
    assert found.mean() > 0.99
    unseen = routes._folds() == 0
    found = (plots[unseen] @ routes._rotation(0) @ twins.T).argmax(axis=1) == np.flatnonzero(unseen)
    assert found.mean() < 0.3


def test_folds_are_put_together_in_the_order_of_the_films():
    scores = routes._by_fold([np.full((2, (routes._folds() == part).sum()), part) for part in range(5)])
    assert (scores == routes._folds()).all()
