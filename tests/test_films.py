"""The films and their queries: enough of each kind, twins in two languages, and a damaged file is told."""

import hashlib
import json
import re

import numpy as np
import pytest

from helpers import datasets, encoder, spanish
from helpers.benchmark import evaluate_films
from helpers.films import routes
from helpers.retrieval import stems

GENRES = {
    *("Action", "Adventure", "Animation", "Biography", "Comedy", "Crime", "Documentary", "Drama", "Family", "Fantasy", "History"),
    *("Horror", "Musical", "Mystery", "Romance", "Science fiction", "Sport", "Thriller", "War", "Western"),
}  # fmt: skip
LATIN_AMERICA_AND_SPAIN = {
    *("Argentina", "Bolivia", "Brazil", "Chile", "Colombia", "Cuba", "Dominican Republic", "Ecuador", "Guatemala", "Mexico"),
    *("Paraguay", "Peru", "Puerto Rico", "Spain", "Uruguay", "Venezuela"),
}  # fmt: skip


# Of all query ids and labels: whoever changes one measures every route again, and pins it here.
LABELS = "c5582a80846b03f9e88eee4967cf5122fe9e49ee13008a3936ae203354ae716c"


@pytest.fixture(scope="module")
def asked():
    return datasets.film_queries()


@pytest.fixture(scope="module")
def films():
    return datasets.films()


def test_there_are_enough_films_of_each_kind(films):
    assert len(films) >= 300
    assert films["country"].isin(LATIN_AMERICA_AND_SPAIN).sum() >= 60
    assert films["country"].nunique() >= 30
    assert (films["year"] // 10).nunique() >= 8


def test_an_id_is_a_title_with_its_year_and_stands_once(films):
    assert films["id"].is_unique and not films[["title", "year"]].duplicated().any()
    assert films["id"].str.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*-\d{4}").all()
    assert (films["id"].str[-4:].astype(int) == films["year"]).all()
    assert films["year"].between(1895, 2025).all()


def test_the_films_stand_in_the_order_of_their_years(films):
    assert films[["year", "id"]].apply(tuple, axis=1).is_monotonic_increasing


def test_genres_are_lists_from_a_closed_set(films):
    for genres in films["genres"]:
        assert 1 <= len(genres) <= 3 and len(set(genres)) == len(genres) and set(genres) <= GENRES
    assert set(films["genres"].explode()) == GENRES
    assert all(director and all(director) for director in films["director"])


@pytest.mark.parametrize("plot", ["plot_en", "plot_es"])
def test_a_plot_has_forty_to_sixty_words_and_does_not_name_its_film(films, plot):
    assert films[plot].str.split().str.len().between(40, 60).all()
    assert films[plot].is_unique
    named = [
        row["id"] for _, row in films.iterrows() if len(row["title"]) > 4 and row["title"].lower() in row[plot].lower()
    ]
    assert not named


def test_a_plot_is_in_its_language(films):
    english = films["plot_en"].str.count(r"(?i)\b(the|of|and|in|to|his|her|a)\b")
    assert (english > films["plot_en"].str.count(r"(?i)\b(el|los|de|que|una|su|por)\b") + 3).all()
    spanish = films["plot_es"].str.count(r"(?i)\b(el|la|los|de|que|y|en|un|una|su|con|por)\b")
    assert (spanish > films["plot_es"].str.count(r"(?i)\b(the|of|and|his|her|to)\b") + 3).all()


def test_no_text_holds_loose_spaces_or_markup(films):
    for column in ("title", "title_es", "original_title", "country", "language", "plot_en", "plot_es"):
        assert not films[column].str.contains(r"\s{2,}|^\s|\s$| [,.;:!?]|[<>*_{}\[\]|]|&\w+;").any(), column


def test_ready_made_vectors_are_those_of_the_plots():
    for language in ("en", "es"):
        vectors = encoder.film_vectors(language)
        places = list(range(0, len(vectors), 30))
        fresh = encoder.embed(encoder.film_plots(language)["text"].iloc[places], precision="float32", cache=False)
        assert vectors.dtype == np.float32 and len(vectors) == len(datasets.films())
        assert (vectors[places] * fresh).sum(axis=1).min() > 0.99999


def test_plots_in_a_third_language_are_asked_for_in_vain():
    with pytest.raises(ValueError, match="not in 'fr'"):
        encoder.film_vectors("fr")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda line: line[:-20], "Line 2 of data/films.jsonl is damaged"),
        (lambda line: line.replace('"year"', '"jahr"'), "the field 'year' is missing"),
    ],
)
def test_a_damaged_film_is_named(change, says, tmp_path, monkeypatch):
    lines = (datasets.DATA / "films.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "films.jsonl").write_text("\n".join([lines[0], change(lines[1])]), encoding="utf-8")
    monkeypatch.setattr(datasets, "DATA", tmp_path)
    with pytest.raises(ValueError, match=re.escape(says)):
        datasets.films.__wrapped__()


def test_a_film_that_stands_there_twice_is_named(tmp_path, monkeypatch):
    line = (datasets.DATA / "films.jsonl").read_text(encoding="utf-8").splitlines()[0]
    (tmp_path / "films.jsonl").write_text(f"{line}\n{line}\n", encoding="utf-8")
    monkeypatch.setattr(datasets, "DATA", tmp_path)
    with pytest.raises(ValueError, match=json.loads(line)["id"] + " twice"):
        datasets.films.__wrapped__()


# --- the queries ---


def test_there_are_enough_queries_half_of_them_paraphrases(asked):
    assert len(asked) >= 100 and asked["id"].is_unique
    assert set(asked["style"]) == {"keyword", "paraphrase"} and set(asked["split"]) == {"dev", "test"}
    assert (asked["style"] == "paraphrase").mean() == 0.5
    assert asked.groupby("split")["style"].value_counts().min() >= 16
    assert (asked["split"] == "test").sum() >= 100


def test_a_query_is_short_and_in_both_languages(asked):
    for column in ("query_en", "query_es"):
        assert asked[column].str.split().str.len().between(2, 16).all() and asked[column].str.lower().is_unique
    assert not (asked["query_en"] == asked["query_es"]).any()
    assert asked["query_es"].str.contains("[áéíóúñ¿]").mean() > 0.4


def test_every_query_has_an_answer_and_says_what_was_judged(asked):
    assert all(2 in labels.values() and set(labels.values()) <= {1, 2} for labels in asked["labels"])
    assert asked["judged"].str.len().min() > 10
    assert (
        hashlib.sha256(json.dumps(asked[["id", "labels"]].to_numpy().tolist(), sort_keys=True).encode()).hexdigest()
        == LABELS
    )


@pytest.mark.parametrize(("language", "cut"), [("en", stems), ("es", spanish.stems)])
def test_keywords_share_words_with_a_plot_that_answers_and_paraphrases_hardly_any(asked, language, cut):
    plots = dict(encoder.film_plots(language).itertuples(index=False))
    for row in asked.itertuples():
        query = set(cut(getattr(row, f"query_{language}")))
        shared = [len(query & set(cut(plots[film]))) for film, grade in row.labels.items() if grade == 2]
        if row.style == "keyword":
            assert max(shared) >= len(query) / 2, row.id
        else:
            assert min(shared) <= 1, row.id


@pytest.mark.parametrize("route", routes.ROUTES)
def test_what_a_route_shows_was_judged(route):
    for split in ("dev", "test"):
        assert round(evaluate_films(routes.rankings(route, split), split).judged, 2) == 1.0


def test_the_best_spanish_route_comes_near_its_english_twin():
    found = {route: evaluate_films(routes.rankings(route)).by_style["ndcg"] for route in routes.ROUTES}
    english = found["English twin, MiniLM"]
    assert found["Gloss, then MiniLM"]["paraphrase"] > 3 * found["Spanish, MiniLM on English plots"]["paraphrase"]
    assert found["Gloss and Spanish BM25"]["keyword"] >= 0.95 * english["keyword"]
    assert found["Gloss and Spanish BM25"]["paraphrase"] >= 0.7 * english["paraphrase"]


def test_the_route_of_the_app_is_the_best_on_dev():
    spanish_routes = [route for route, (language, _) in routes.ROUTES.items() if language == "es"]
    found = {route: evaluate_films(routes.rankings(route, "dev"), "dev").mean() for route in spanish_routes}
    assert max(found, key=found.get) == "Gloss and Spanish BM25"


def test_what_learns_from_the_films_is_worse_on_films_that_it_did_not_see():
    for route in ("Procrustes", "Learnt dictionary"):
        seen, unseen = (
            evaluate_films(routes.rankings(name)).by_style["ndcg"] for name in (route, f"{route}, unseen films")
        )
        assert unseen["keyword"] < seen["keyword"] - 0.2, route


def test_a_label_on_a_film_that_is_not_there_is_told(tmp_path, monkeypatch):
    line = (datasets.DATA / "film_queries.jsonl").read_text(encoding="utf-8").splitlines()[0]
    row = json.loads(line) | {"labels": {"no-such-film-1900": 2}}
    (tmp_path / "film_queries.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    datasets.films()
    monkeypatch.setattr(datasets, "DATA", tmp_path)
    with pytest.raises(ValueError, match="no-such-film-1900"):
        datasets.film_queries.__wrapped__()


def test_an_unknown_split_is_told():
    with pytest.raises(ValueError, match="'train'"):
        datasets.film_queries.__wrapped__("train")
