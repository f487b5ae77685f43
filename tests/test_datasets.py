"""The encyclopedia as parsed: clean, complete, and the same on every machine."""

import re

import pytest

from helpers import datasets, wikitext


def test_the_parse_is_the_one_that_labels_and_vectors_were_made_for():
    passages = datasets.passages()
    assert len(passages) == 4905
    assert passages["article"].nunique() == len(datasets.articles()) == 97
    assert datasets.corpus_checksum(passages) == datasets.CORPUS_SHA256


def test_passages_are_what_the_docstring_says():
    passages = datasets.passages()
    texts = datasets.articles().set_index("title")["text"]
    assert passages["id"].is_unique and not passages["text"].duplicated().any()
    assert passages["text"].str.split().str.len().min() >= 25
    assert passages["text"].map(datasets.count_tokens).max() <= 256
    for row in passages.itertuples():
        assert texts[row.article][row.start : row.end] == row.text


def test_disambiguation_pages_redirects_and_bare_lists_are_no_articles():
    titles = set(datasets.articles()["title"])
    assert not [title for title in titles if "(disambiguation)" in title]
    assert not titles & {"Alien", "Ada", "Aa River", "List of anthropologists"}


@pytest.mark.parametrize(
    "pattern",
    [
        r"\[\[|\]\]|\{\{|\}\}|''|==|\{\||\|\}",  # markup
        r"</?(?:ref|small|br|sup|sub|div|blockquote|math)\b",  # tags
        r"&(?:nbsp|amp|ndash|mdash|lt|gt);",
        r"\(\s*\)|\[\s*\]|\(\s*[,;]|[,;]\s*\)",  # a parenthesis that lost its content
        r"\b(?:of|the|to|as|by|with|from|is|and|a|an) [.,;)]",  # a word that lost what follows it
        r"\b(?:File|Image|Category):|\bthumb\|",
        r"[\x00-\x08]|  ",
        wikitext.HOLE,
    ],
)
def test_no_markup_and_no_hole_is_left(pattern):
    # Four places speak about such signs themselves.
    about_signs = {"ASCII", "Algorithm"} if "==" in pattern else set()
    passages = datasets.passages()
    hits = passages[passages["text"].str.contains(pattern, regex=True) & ~passages["article"].isin(about_signs)]
    assert hits.empty, hits[["id", "text"]].head().to_dict("records")


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("'''Tea''' ({{IPAc-en|t|iː}}) is a [[drink|hot drink]].<ref>x</ref>", "Tea is a hot drink."),
        ("It has {{convert|20|mi|km}} of road.", "It has 20 miles of road."),
        ("It lies {{convert|3|to|5|km|mi}} away.", "It lies 3 to 5 kilometres away."),
        ("The temperature ({{unknown|5}}) rises. It is warm.", "The temperature rises. It is warm."),
        ("The mass is <math>\\frac{a}{b}</math> grams. It is small.", "It is small."),
        ("The angle <math>\\alpha</math> is small.", "The angle α is small."),
        ("[[File:A.png|thumb|A [[cat]] on a mat]]The cat sat.", "The cat sat."),
        ("{| class=x\n| a || b\n|}\nThe text goes on.", "The text goes on."),
        ("An area of 5 km<sup>2</sup> and H<sub>2</sub>O&nbsp;too.", "An area of 5 km² and H2O too."),
        ("{{Infobox\n| a = b\n}}\nThe lead. {{citation needed|date=May 2015}}", "The lead."),
        ("A word ({{lang-la|verbum}}; {{IPA|x}}) is it.", "A word (verbum) is it."),
    ],
)
def test_markup_becomes_what_a_reader_sees(markup, expected):
    assert " ".join(text for _, text in wikitext.paragraphs(markup)) == expected


def test_sections_without_prose_are_left_out():
    markup = "Lead.\n== Life ==\nHe lived.\n== References ==\nA book.\n=== Notes on notes ===\nMore.\n== Legacy ==\nHe is read."
    assert list(wikitext.paragraphs(markup)) == [("", "Lead."), ("Life", "He lived."), ("Legacy", "He is read.")]


def test_sentences_end_where_sentences_end():
    text = 'He met Dr. A. Smith in the U.S. in c. 1900. "It rained!" he said. It cost $3.5 million. The end'
    assert wikitext.split_sentences(text) == [
        "He met Dr. A. Smith in the U.S. in c. 1900.",
        '"It rained!" he said.',
        "It cost $3.5 million.",
        "The end",
    ]


def test_sentences_are_the_tokens_that_word_lessons_share():
    sentences = datasets.sentences()
    assert len(sentences) == 20_678
    assert sum(map(len, sentences)) == 425_712
    assert all(re.fullmatch(r"[^\W\d_A-Z]+", word) for sentence in sentences[:2000] for word in sentence)


def test_every_article_has_a_family_given_by_hand():
    assert datasets.articles()["family"].value_counts().min() >= 7
    assert datasets.articles()["family"].nunique() == 8


def test_a_damaged_cache_file_is_repaired_with_a_word(tmp_path, monkeypatch, capsys):
    path = tmp_path / "x.bin"
    datasets.write_checked(path, b"content")
    assert datasets.read_checked(path) == b"content"
    path.write_bytes(path.read_bytes()[:-1])
    assert datasets.read_checked(path) is None
    assert "damaged" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_said_and_no_error(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    datasets.write_safely(tmp_path / "file" / "x.bin", b"content")
    assert "Could not keep x.bin" in capsys.readouterr().err


def test_another_parse_is_refused(monkeypatch):
    monkeypatch.setattr(datasets, "CORPUS_SHA256", "0" * 64)
    datasets.passages.cache_clear()
    with pytest.raises(ValueError, match="not into those"):
        datasets.passages()


def test_a_damaged_dump_is_refused(monkeypatch):
    monkeypatch.setattr(datasets, "DUMP_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="damaged or of another version"):
        datasets._dump()


def test_gensim_without_its_test_data_is_said(monkeypatch):
    monkeypatch.setattr(datasets, "DUMP", "nothing.bz2")
    with pytest.raises(FileNotFoundError, match="without its test data"):
        datasets._dump()


def test_a_parse_that_names_other_articles_than_the_families_is_said(tmp_path, monkeypatch):
    (tmp_path / "article_families.csv").write_text("article,family\nAardvark,living things\n")
    monkeypatch.setattr(datasets, "DATA", tmp_path)
    datasets.articles.cache_clear()
    with pytest.raises(ValueError, match="article_families.csv"):
        datasets.articles()
    datasets.articles.cache_clear()


def test_every_price_has_a_date_a_source_and_a_word_on_what_to_check():
    prices = datasets.prices()
    assert prices.index.is_unique and (prices["dollars"] > 0).all()
    assert prices["as_of"].str.fullmatch(r"20\d\d-[01]\d(-[0-3]\d)?").all()
    assert prices["source"].str.fullmatch(r"https://\S+").all() and prices["check"].str.len().min() > 10


@pytest.mark.parametrize(
    "line", ["hour,0,me,2026-11,https://x.y,z", "hour,1,me,,https://x.y,z", "hour,1,me,2026-11,https://x.y,z\n" * 2]
)
def test_a_price_that_is_none_or_has_no_date_or_is_said_twice_is_refused(tmp_path, monkeypatch, line):
    (tmp_path / "prices.csv").write_text(f"unit,dollars,who,as_of,source,check\n{line.strip()}\n")
    monkeypatch.setattr(datasets, "DATA", tmp_path)
    datasets.prices.cache_clear()
    with pytest.raises(ValueError, match="prices.csv"):
        datasets.prices()
    datasets.prices.cache_clear()
