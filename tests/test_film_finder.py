"""The film finder without its page: exact filters, the routes that were measured, honest words, and nothing that is not escaped."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html.parser import HTMLParser
from itertools import product

import numpy as np
import pytest

from helpers import benchmark, chroma, datasets, encoder
from helpers.films import finder as film_finder
from helpers.films import rendering, routes, texts
from helpers.films.answers import answer, choices, filters_of
from helpers.films.filtering import ALL, Filters, counts, loosen, remaining
from helpers.films.finder import Finder, Match, best_route, open_or_build
from helpers.films.typed_query import LONGEST, clean, is_name, language_of, names, understood

HOSTILE = "<img src=x onerror=\"alert(1)\"></p><script>alert(2)</script> ${alert(3)} {{alert(4)}} `\\ & '**bold**' 🎬"


@pytest.fixture(scope="module")
def finder():
    return Finder()


@pytest.fixture(scope="module")
def films():
    return datasets.films()


def asked(finder, query, *, language="en", read_as="auto", genres=(), countries=(), first=None, last=None, number=10):
    """The text of status and films for what the page's fields hold."""
    return tuple(map(text_of, answer(finder, language, query, read_as, genres, countries, first, last, number)))


class Reader(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.texts = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data):
        self.texts.append(data)


def text_of(html):
    return "".join(Reader(html).texts)


# ---------------------------------------------------------------- filters

SOME = [
    ALL,
    Filters(genres=("War",)),
    Filters(genres=("Comedy", "War"), countries=("Spain", "Mexico")),
    Filters(countries=("Japan",), first=1960),
    Filters(genres=("Drama",), countries=("Spain", "Italy", "France"), first=1950, last=1979),
    Filters(last=1930),
    Filters(genres=("Western",), first=2010),
]


@pytest.mark.parametrize("filters", SOME)
def test_the_store_and_the_frame_let_the_same_films_pass(finder, films, filters):
    in_store = finder.collection.get(where=filters.where(), include=[])["ids"]
    assert sorted(in_store) == sorted(films["id"][filters.mask(films)]) and len(in_store) == remaining(films, filters)


@pytest.mark.parametrize("filters", SOME)
def test_a_count_is_what_that_choice_alone_would_show(films, filters):
    found = counts(films, filters)
    assert len(found["genres"]) == 20 and set(found["countries"]) == set(films["country"])
    for what in found:
        for choice, n in found[what].items():
            assert n == remaining(films, replace(filters.without(what), **{what: (choice,)})), choice


def test_a_range_the_wrong_way_round_is_turned(films):
    assert Filters(first=1990, last=1980).in_order() == Filters(first=1980, last=1990)
    assert Filters(first=1990).in_order() == Filters(first=1990)
    assert remaining(films, Filters(first=1990, last=1980)) == 0 < remaining(films, Filters(first=1980, last=1990))


def test_the_filter_to_loosen_is_named_with_what_it_would_bring(films):
    nothing = Filters(genres=("Western",), countries=("Japan",), first=1950)
    assert remaining(films, nothing) == 0
    helpful = loosen(films, nothing)
    assert list(helpful) == ["genres", "countries"], "the years are not to blame"
    assert list(helpful.values()) == sorted(helpful.values(), reverse=True)
    assert helpful["genres"] == remaining(films, nothing.without("genres"))


def test_years_that_leave_nothing_out_are_no_filter(finder):
    for years in [(None, None), (1902, 2024), (2024, 1902), (0, 9_999), (-(10**30), 10**30), (None, 2030)]:
        assert filters_of(finder, [], [], *years) == ALL
    assert filters_of(finder, ["War"], [], 1990.0, None) == Filters(("War",), (), 1990)
    assert filters_of(finder, None, None, 10**30, 1990) == Filters(first=9_999, last=1990)


# ---------------------------------------------------------------- what was typed


@pytest.mark.parametrize(
    ("typed", "text", "was_cut"),
    [
        ("  a\n\tcat \x00\u202e ", "a cat", False),
        ("", "", False),
        ("half an emoji \ud83c", "half an emoji ?", False),
        ("a" * LONGEST, "a" * LONGEST, False),
        ("word " * 25_000, ("word " * 60).rstrip(), True),
        (" " * 100_000 + "x", "", True),
        ("می‌خواهم 👩‍🚀", "می‌خواهم 👩‍🚀", False),
    ],
)
def test_queries_become_one_clean_line(typed, text, was_cut):
    assert clean(typed) == (text, was_cut)


def test_the_language_of_every_query_is_told():
    queries = datasets.film_queries(None)
    assert [query for query in queries["query_en"] if language_of(query, "es") != "en"] == []
    assert [query for query in queries["query_es"] if language_of(query, "en") != "es"] == []


def test_where_nothing_tells_the_interface_decides():
    assert language_of("Casablanca", "es") == "es" and language_of("Casablanca", "en") == "en"


def test_spanish_is_understood_word_by_word_and_english_as_it_is():
    assert understood("el fantasma del primer marido", "es") == "ghost of first husband"
    assert understood("el", "es") == "el" and understood("the ghost", "en") == "the ghost"


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("casablanca", "Casablanca"),
        ("EL LABERINTO DEL FAUNO", "Pan's Labyrinth"),
        ("El espíritu de la colmena", "The Spirit of the Beehive"),
        ("sjunde inseglet", "The Seventh Seal"),
        ("almodovar", "All About My Mother"),
        ("films by Akira Kurosawa", "Seven Samurai"),
        ("la película de Víctor Erice", "The Spirit of the Beehive"),
    ],
)
def test_titles_and_directors_are_found_by_name(finder, query, title):
    first = finder.search(query, language=language_of(query))[:3]
    assert title in [match.film["title"] for match in first if match.closeness == "named"]


def test_a_query_that_describes_is_no_name(films):
    known = [name for film in films.to_dict("records") for name in names(film)]
    queries = datasets.film_queries(None)
    assert not [query for query in [*queries["query_en"], *queries["query_es"]] if is_name(query, known)]
    assert not is_name("a film about war", known) and not is_name("el", [("",)])


# ---------------------------------------------------------------- the search


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_app_uses_the_route_that_is_best_on_dev(language):
    scores = {
        route: benchmark.evaluate_films(routes.rankings(route, "dev"), "dev").per_question["ndcg"].mean()
        for route, (asked_in, _) in routes.ROUTES.items()
        if asked_in == language
    }
    assert best_route(language) == max(scores, key=scores.get), scores


@pytest.mark.parametrize("language", ["en", "es"])
def test_through_the_store_the_ranking_is_the_routes(finder, language):
    for split in ("dev", "test"):
        queries = datasets.film_queries(split)
        wanted = routes.rankings(best_route(language), split, k=20)
        for query, text in zip(queries["id"], queries[f"query_{language}"], strict=True):
            found = finder.search(text, number=20, language=language)
            assert [match.film["id"] for match in found] == wanted[query], text


def test_the_words_close_related_and_far_are_worth_what_the_page_says(finder):
    right, seen = dict.fromkeys(("close", "related", "far"), 0), dict.fromkeys(("close", "related", "far"), 0)
    queries = datasets.film_queries("test")
    for language, (_, row) in product(("en", "es"), queries.iterrows()):
        for match in finder.search(row[f"query_{language}"], language=language):
            seen[match.closeness] += 1
            right[match.closeness] += match.film["id"] in row["labels"]
    share = {word: right[word] / seen[word] for word in seen}
    assert share == pytest.approx({"close": 5 / 6, "related": 1 / 5, "far": 1 / 20}, abs=0.03)
    assert len(queries) == 100 and "200 queries" in texts.TEXTS["en"]["legend_text"]


def test_nothing_near_is_said_of_nonsense_and_of_no_dev_query(finder):
    dev = datasets.film_queries("dev")
    best = [finder.search(q, number=1, language=key)[0].score for key in ("en", "es") for q in dev[f"query_{key}"]]
    assert min(best) >= film_finder.FAINT
    for nonsense in ("asdfgh qwerty", "python pandas dataframe", "42"):
        assert "Nothing comes near" in asked(finder, nonsense)[0]
    assert "Nothing comes near" not in asked(finder, "a chess game with death")[0] + asked(finder, "Almodóvar")[0]


@pytest.mark.parametrize("filters", SOME)
def test_only_films_that_pass_are_found_and_as_many_as_asked_for(finder, films, filters):
    passed = set(films["id"][filters.mask(films)])
    for found in (finder.search("a soldier comes home", filters, number=8), finder.browse(filters, number=8)):
        assert len(found) == min(8, len(passed)) and {match.film["id"] for match in found} <= passed


def test_a_match_says_why(finder):
    match = finder.search("un fantasma y una partida de ajedrez con la muerte", language="es")[0]
    assert match.film["title"] == "The Seventh Seal" and match.closeness == "close"
    assert all(match.sentence[key] in match.film[f"plot_{key}"] for key in ("en", "es"))
    assert "chess" in match.sentence["en"] and "ajedrez" in match.sentence["es"]
    assert match.shared == ("ajedrez", "muerte") and match.shared_in == "es"


def test_what_cannot_be_searched_gives_no_film_and_no_error(finder):
    assert finder.search("") == finder.search(" \x00\n") == []
    assert finder.search("war", Filters(genres=("Western",), first=2010)) == []
    for odd in (HOSTILE, "?", "🎬🎬", "مرحبا بالعالم", "한국어" * 100, "ﷺ" * 300, "\ud83c", "x" * 100_000):
        assert len(finder.search(odd, number=3)) == 3


def test_a_query_is_encoded_once_and_vectors_are_bounded(finder, monkeypatch):
    encoded, embed = [], encoder.embed
    monkeypatch.setattr(encoder, "embed", lambda text, **options: encoded.append(text) or embed(text, **options))
    for _ in range(3):
        finder.search("a question that nobody has asked before")
    assert len(encoded) == 1 and finder.vector.cache_info().maxsize == film_finder.REMEMBERED


def test_many_users_at_once_get_what_each_would_get_alone(finder):
    queries = datasets.film_queries(None)["query_en"][:40].tolist()
    alone = [[match.film["id"] for match in finder.search(query)] for query in queries]
    finder.vector.cache_clear()
    with ThreadPoolExecutor(16) as users:
        together = list(users.map(lambda query: [match.film["id"] for match in finder.search(query)], queries))
    assert together == alone


# ---------------------------------------------------------------- the store


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "CACHE", tmp_path)
    return tmp_path


def test_the_store_is_built_once_and_reopened(cache, films, monkeypatch):
    assert open_or_build("app", films).count() == len(films)
    with monkeypatch.context() as second:
        second.setattr(chroma, "create_collection", lambda *_, **__: pytest.fail("must not be built again"))
        assert open_or_build("app", films).count() == len(films)
    assert len(list((cache / "app").iterdir())) == 1


def test_other_films_or_another_model_have_a_store_of_their_own(cache, films, monkeypatch):
    open_or_build("app", films)
    changed = films.assign(year=films["year"].replace(1902, 1903))
    assert min(m["year"] for m in open_or_build("app", changed).get(include=["metadatas"])["metadatas"]) == 1903
    monkeypatch.setattr(encoder, "WEIGHTS_SHA256", "0" * 64)
    monkeypatch.setattr(encoder, "film_vectors", lambda language: np.eye(len(films), 384, dtype=np.float32) + 0.1)
    assert open_or_build("app", films).count() == len(films)
    assert len(list((cache / "app").iterdir())) == 3


def test_a_damaged_or_unfinished_store_is_built_anew(cache, films):
    open_or_build("app", films).delete(ids=[films["id"][0]])
    assert open_or_build("app", films).count() == len(films)
    (folder,) = (cache / "app").iterdir()
    for client in chroma._opened.pop(folder.resolve()):
        client.close()
    (folder / "chroma.sqlite3").write_bytes(b"no database" * 1000)
    assert open_or_build("app", films).count() == len(films)


def test_of_two_apps_that_start_together_the_slower_takes_the_store_of_the_quicker(cache, films, monkeypatch):
    replace, built = os.replace, []

    def overtaken(source, target):
        if not built:
            built.append(target)  # while the first app was building, a second one has come and gone
            open_or_build("app", films)
        replace(source, target)

    monkeypatch.setattr(os, "replace", overtaken)
    assert open_or_build("app", films).count() == len(films)
    assert list((cache / "app").iterdir()) == built


# ---------------------------------------------------------------- the HTML


def test_everything_is_escaped(finder):
    film = finder.records[0] | {
        key: HOSTILE for key in ("title", "title_es", "original_title", "country", "plot_en", "plot_es")
    }
    film |= {"director": [HOSTILE], "genres": [HOSTILE, HOSTILE]}
    for closeness, language in product(("", "named", "close", "related", "far"), ("en", "es")):
        sentence = {"en": HOSTILE[5:40], "es": HOSTILE[5:40]}
        html = rendering.card(Match(film, closeness, 0.5, sentence, ("alert", HOSTILE), "en"), language)
        read = Reader(html)
        assert not {"img", "script"} & set(read.tags) and "onerror" not in read.attributes
        assert not re.search(r"[${}`\\]", html), "no template of Gradio's page either"
        assert text_of(html).count(HOSTILE) >= 5


def test_a_query_is_shown_as_text(finder):
    status, films = answer(finder, "en", HOSTILE, "auto", [], [], None, None, 5)
    assert HOSTILE[:100] in text_of(status)
    assert not {"img", "script"} & set(Reader(status + films).tags) and not re.search(r"[${}`\\]", status + films)
    assert 'dir="auto"' in status and "<bdi" in status


def test_attributes_are_escaped_too():
    assert rendering.tag("p", "x", title='"><script>') == '<p title="&quot;&gt;&lt;script&gt;">x</p>'
    assert rendering.tag("p", rendering.tag("b", "<")) == "<p><b>&lt;</b></p>"
    assert rendering.fill("{a} and {b}", a="<", b=rendering.tag("b", "&")) == "&lt; and <b>&amp;</b>"


@pytest.mark.parametrize("language", ["en", "es"])
def test_marking_leaves_the_plot_as_it_is(finder, language):
    for match in finder.search("two sisters, a soldier and a train in the war", number=347):
        html = rendering._plot(match, language)
        assert text_of(html) == match.film[f"plot_{language}"] and html.count("<mark>") == 1
        assert match.sentence[language] == text_of(re.search("<mark>(.*)</mark>", html)[1])


def test_shared_words_are_bold_in_the_plot_of_their_language_only(finder):
    match = finder.search("una partida de ajedrez con la muerte", language="es")[0]
    assert set(re.findall("<b>(.*?)</b>", rendering._plot(match, "es"))) == {"Muerte", "ajedrez"}
    assert "<b>" not in rendering._plot(match, "en")
    assert "Words in common with its Spanish plot: ajedrez, muerte." in text_of(rendering.card(match, "en"))


def test_a_card_speaks_the_interfaces_language(finder):
    match = next(m for m in finder.search("Pan's Labyrinth") if m.film["title"] == "Pan's Labyrinth")
    english, spanish = text_of(rendering.card(match, "en")), text_of(rendering.card(match, "es"))
    assert "Pan's Labyrinth" in english and "Original title: El laberinto del fauno" in english and "Spain" in english
    assert "Fantasy" in english and match.film["plot_en"] in english and match.film["plot_es"] not in english
    assert "El laberinto del fauno" in spanish and "original" not in spanish.lower(), "it is the original title"
    assert "España" in spanish and "Fantasía" in spanish and match.film["plot_es"] in spanish


def test_both_languages_have_all_words(films):
    english, spanish = texts.TEXTS["en"], texts.TEXTS["es"]
    assert set(english) == set(spanish)
    for key in english:
        parts = [re.findall(r"\{\w+\}", "".join(each[key])) for each in (english, spanish)]
        assert set(parts[0]) == set(parts[1]), key
        assert all(each[key] and "".join(each[key]).strip() for each in (english, spanish))
    values = set(films["country"]) | set(films.explode("genres")["genres"])
    assert values == set(texts.GENRES_ES) | set(texts.COUNTRIES_ES)
    assert set(rendering.HUES) == set(texts.GENRES_ES)
    assert str(len(films)) in english["about"] and str(len(films)) in spanish["about"]


# ---------------------------------------------------------------- what the page answers


def test_choices_carry_their_counts_in_alphabetical_order(finder, films):
    genres, countries = choices(finder, "es", Filters(countries=("Spain",)))
    shown = [label for label, _ in genres]
    assert shown[0].startswith("Acción (") and ("Bélico", "Wéstern") == (
        shown[3].split(" (")[0],
        shown[-1].split(" (")[0],
    )
    n = sum("Comedy" in each for each in films["genres"][films["country"] == "Spain"])
    assert (f"Comedia ({n})", "Comedy") in genres
    assert (f"España ({(films['country'] == 'Spain').sum()})", "Spain") in countries


def test_the_start_page_shows_films_under_the_filters(finder):
    status, shown = asked(finder, "", genres=["Western"])
    assert "To browse: 5 films" in status and "5 of 347 films pass your filters" in status
    assert len(re.findall("Genre|Western", shown)) >= 5 and "Why this film" not in shown


def test_an_answer_says_how_the_query_was_read_and_obeys(finder):
    assert "Read as English." in asked(finder, "a ghost")[0]
    assert (
        "Read as Spanish, understood word by word as “ghost of first husband”"
        in asked(finder, "el fantasma del primer marido")[0]
    )
    assert "Read as English." in asked(finder, "el fantasma del primer marido", read_as="en")[0]
    assert "entendido palabra por palabra como" in asked(finder, "the ghost", language="es", read_as="es")[0]


def test_long_text_is_cut_with_a_word_about_it(finder):
    status, _ = asked(finder, "a train robbery " * 6_250)
    assert "Your text has 100,000 characters; the first 300 were read." in status and len(status) < 500
    assert "100\xa0000 caracteres" in asked(finder, "a train robbery " * 6_250, language="es")[0]


def test_turned_years_other_scripts_and_no_words_are_said(finder):
    assert "read as 1980–1990" in asked(finder, "", first=1990, last=1980)[0]
    assert "I read English and Spanish only" in asked(finder, "فيلم عن الحرب")[0]
    assert "not a letter or a number" in asked(finder, "🎬 ?!")[0]


def test_filters_that_leave_nothing_say_which_to_loosen(finder):
    status, shown = asked(finder, "duel", genres=["Western"], countries=["Japan"], first=1950, last=2024)
    assert "No film passes these filters" in status and "0 of 347 films" in status
    assert re.search(r"Without the genre filter: \d+ films", shown) and "year filter" not in shown
    _, shown = asked(finder, "", language="es", genres=["Western"], countries=["Latvia"], first=2020, last=2020)
    assert "quita más de uno" in shown


def test_an_error_shows_a_friendly_card_and_its_traceback_in_the_terminal_only(finder, monkeypatch, capsys):
    monkeypatch.setattr(Finder, "search", lambda *_: 1 / 0)
    status, shown = asked(finder, "anything", language="es")
    assert "Algo ha fallado" in status and "terminal" in shown and "Zero" not in status + shown
    assert "ZeroDivisionError" in capsys.readouterr().err
