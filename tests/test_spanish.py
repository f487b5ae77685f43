"""Spanish words, the glossary, and the routes from a Spanish query to an English plot."""

import re

import pytest

from helpers import datasets, film_search, spanish


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


@pytest.mark.parametrize("route", film_search.ROUTES)
def test_a_route_gives_a_score_for_each_film(route):
    language, scores = film_search.ROUTES[route]
    asked = ["a man on the moon", "zzz"] if language == "en" else ["un hombre en la luna", "el", "zzz"]
    assert scores(asked).shape == (len(asked), len(datasets.films()))


def test_the_gloss_route_finds_what_the_spanish_route_does_not():
    asked, films = ["un cazador de tiburones en la playa"], datasets.films()["id"]
    place = (films == "jaws-1975").to_numpy().argmax()
    ranks = [
        (scores(asked)[0] > scores(asked)[0, place]).sum() for scores in (film_search.minilm, film_search.spanish_gloss)
    ]
    assert ranks[1] < 3 < ranks[0]
