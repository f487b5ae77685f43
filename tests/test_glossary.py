"""The glossary: each term once, in order, explained by the lesson it names; and the lessons lead to it at the first use."""

import re
import unicodedata
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
TEXT = (NOTEBOOKS / "glossary.md").read_text(encoding="utf-8")
ENTRY = re.compile(r"^- \*\*(.+?)\*\* \(\[(\d\d)\]\(([^)]+)\)\): (.+)$", re.M)
LINK = re.compile(r"\[([^\]]+)\]\(\.\./glossary\.md#(\w+)\)")


def spelled(term):
    """What a term is sorted by: small letters without marks, ρ as rho, without what stands in parentheses at its end."""
    plain = unicodedata.normalize("NFKD", term.lower().replace("ρ", "rho"))
    return re.sub(r"[^a-z0-9 ]", "", "".join(c for c in plain if not unicodedata.combining(c))).strip()


def section(term):
    first = spelled(term)[:1]
    return first if first.isalpha() else "09"


def sections():
    parts = re.split(r"^## (.+)$", TEXT, flags=re.M)
    return {
        name.lower().replace("–", ""): ENTRY.findall(body) for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }


def links():
    """(lesson, words of the link, section) of every link to the glossary."""
    for path in sorted(NOTEBOOKS.glob("*/*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                for words, target in LINK.findall(cell.source):
                    yield path, words, target


def plain(words):
    """Small letters, one space, neither code marks nor hyphens: how a link's words and a term are compared."""
    return " ".join(words.replace("`", "").replace("-", " ").lower().split())


def names(term):
    """The ways a term may be written in a lesson: without the parentheses, what stands in them, each part of a pair."""
    bare = re.sub(r"\s*\(.*?\)\s*", " ", term).strip()
    forms = {bare, *re.findall(r"\(([^)]+)\)", term), *bare.split(", ")}
    return {plain(form) + ending for form in forms for ending in ("", "s", "es")}


def test_every_line_is_an_entry_in_its_section_and_in_order():
    entries = [entry for found in sections().values() for entry in found]
    assert len(entries) > 200 and TEXT.count("\n- ") == len(entries)
    assert len({spelled(term) for term, *_ in entries}) == len(entries)
    for name, found in sections().items():
        assert [spelled(term) for term, *_ in found] == sorted(spelled(term) for term, *_ in found), name
        assert {section(term) for term, *_ in found} == {name}
    assert all(20 <= len(text) <= 500 and text.endswith((".", "?", ".)", "…")) for *_, text in entries)


def test_every_entry_names_a_lesson_and_the_lesson_leads_back():
    told = {}
    for path, words, target in links():
        told.setdefault(path.name, set()).add((plain(words), target))
    for found in sections().values():
        for term, number, target, _ in found:
            lesson = NOTEBOOKS / target
            assert lesson.exists() and lesson.name.startswith(number + "_"), f"{term}: {target}"
            there = {words for words, letter in told.get(lesson.name, ()) if letter == section(term)}
            assert there & names(term), f"{term}: lesson {number} has no link [{term}](../glossary.md#{section(term)})"


def test_every_link_leads_to_an_entry():
    known = {letter: {form for term, *_ in found for form in names(term)} for letter, found in sections().items()}
    for path, words, target in links():
        assert plain(words) in known.get(target, ()), f"{path.name}: [{words}] is not in the glossary under {target}"
