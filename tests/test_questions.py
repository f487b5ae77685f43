"""The labelled questions: enough of each kind, answered where they say, frozen; those without an answer; damaged files."""

import hashlib
import json
import re

import pytest

from helpers import datasets
from helpers.retrieval import stems

# Of all ids and labels. Whoever changes a label raises LABELS_VERSION, recomputes all rows, and pins both here.
LABELS = (1, "b66052bb3211857e4b1e08c7f228f1cb13a65cc3d2d7eac7dcaeb34d69316bf6")
# Of those that the encyclopedia does not answer. Whoever changes one searches the text for its answer again.
UNANSWERABLE = "7577d1f0c129538603329c223a3804b60f3c9afe984446068e7eff5a51daaa89"
ENGLISH = ["keyword", "name_number", "paraphrase"]


@pytest.fixture(scope="module")
def asked():
    return datasets.questions()


@pytest.fixture(scope="module")
def holding(asked):
    """Question id -> the ids of the grade-2 passages that hold its span whole."""
    passages = datasets.passages().set_index("id")
    found = {}
    for row in asked.itertuples():
        answers = passages.loc[[passage for passage, grade in row.labels.items() if grade == 2]]
        start, end = row.span
        inside = (answers["article"] == row.article) & (answers["start"] <= start) & (end <= answers["end"])
        found[row.id] = answers.index[inside].tolist()
    return found


@pytest.fixture
def question_file(tmp_path, monkeypatch):
    """A writable copy of the question file in the place of the real one: a function that replaces its third line."""
    lines = (datasets.DATA / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    datasets.passages()  # parsed before its folder is moved
    monkeypatch.setattr(datasets, "DATA", tmp_path)

    def replace(change) -> None:
        row = json.loads(lines[2])
        line = change if isinstance(change, str) else json.dumps(change(row) or row)
        (tmp_path / "questions.jsonl").write_text("\n".join([*lines[:2], line, *lines[3:]]) + "\n", encoding="utf-8")
        datasets.questions.cache_clear()

    yield replace
    datasets.questions.cache_clear()


# --- enough of each kind ---


def test_there_are_enough_questions_of_each_kind(asked):
    assert len(asked) >= 240
    assert set(asked["style"]) == {*ENGLISH, "spanish"}
    assert (asked["style"] == "paraphrase").sum() >= 90
    assert (asked["style"] == "spanish").sum() >= 24
    assert asked["style"].value_counts().min() >= 24


def test_the_splits_are_forty_for_tuning_and_over_two_hundred_english_ones_for_the_leaderboard(asked):
    assert set(asked["split"]) == {"dev", "test"}
    assert (asked["split"] == "dev").sum() == 40
    test = asked[asked["split"] == "test"]
    assert test["style"].isin(ENGLISH).sum() >= 200
    for split in ("dev", "test"):  # no style is missing in either
        assert set(asked.loc[asked["split"] == split, "style"]) == {*ENGLISH, "spanish"}


def test_a_split_is_those_questions_and_no_others(asked):
    for split in ("dev", "test"):
        part = datasets.questions(split)
        assert part["id"].tolist() == asked.loc[asked["split"] == split, "id"].tolist()
        assert part.index.tolist() == list(range(len(part)))


def test_about_half_of_the_topics_were_chosen_before_reading_the_text(asked):
    assert set(asked["origin"]) == {"title", "text"}
    assert 0.45 <= (asked["origin"] == "title").mean() <= 0.55
    for style, origins in asked.groupby("style")["origin"]:
        assert 0.35 <= (origins == "title").mean() <= 0.65, style


def test_questions_come_from_most_of_the_encyclopedia(asked):
    per_article = asked["article"].value_counts()
    assert len(per_article) >= 0.85 * len(datasets.articles())
    assert per_article.max() <= 0.03 * len(asked)


def test_ids_and_texts_are_unique(asked):
    assert asked["id"].is_unique
    plain = asked["question"].str.lower().str.findall(r"\w+").str.join(" ")
    assert asked[plain.duplicated(keep=False)].empty


def test_questions_are_whole_sentences_or_what_one_types_into_a_search_box(asked):
    whole = asked["question"].str.fullmatch(r"¿?[A-ZÁÉÍÓÚ][^?]*\w\W?\?")
    typed = asked["question"].str.fullmatch(r"[^\s?¿][^?¿]*\w")
    assert asked.loc[~whole & ~typed, "question"].empty
    assert 0.6 < whole.mean() < 0.95  # both kinds are there
    assert asked["question"].str.split().str.len().between(3, 30).all()
    assert asked["answer"].str.fullmatch(r"\S(.*\S)?").all()


def test_only_spanish_questions_have_an_english_twin(asked):
    spanish = asked["style"] == "spanish"
    english = asked["english"]
    assert english[~spanish].isna().all()
    assert (english[spanish].str.split().str.len() >= 3).all()
    assert (asked["question"].str.startswith("¿") == (spanish & asked["question"].str.endswith("?"))).all()
    assert asked.loc[spanish, "question"].str.startswith("¿").mean() > 0.9
    assert not set(english[spanish]) & set(asked["question"])


# --- answered where they say ---


def test_the_span_lies_in_the_article(asked):
    texts = datasets.articles().set_index("title")["text"]
    for row in asked.itertuples():
        start, end = row.span
        text = texts[row.article]
        assert 0 <= start < end <= len(text), row.id
        assert text[start:end] == text[start:end].strip(), row.id
        # It begins and ends with whole words.
        assert not (text[start - 1 : start].isalnum() and text[start].isalnum()), row.id
        assert not (text[end - 1].isalnum() and text[end : end + 1].isalnum()), row.id


def test_a_passage_that_answers_holds_the_span_whole(asked, holding):
    assert [question for question in asked["id"] if not holding[question]] == []


def test_labels_are_graded_and_name_passages_that_exist(asked):
    known = set(datasets.passages()["id"])
    for row in asked.itertuples():
        assert set(row.labels.values()) <= {1, 2}, row.id
        assert 2 in row.labels.values(), row.id
        assert set(row.labels) <= row.judged <= known, row.id


def test_the_pool_is_wide_and_most_of_it_is_no_answer(asked):
    assert asked["judged"].str.len().min() >= 10
    share = asked["labels"].str.len() / asked["judged"].str.len()
    assert share.median() < 0.25


def test_paraphrases_share_few_words_with_the_passage_that_answers_them(asked, holding):
    texts = datasets.passages().set_index("id")["text"]

    def shared(row):
        """Share of the question's content stems that stand in the passage that holds the answer."""
        content = set(stems(row.question))
        return max(len(content & set(stems(texts[passage]))) for passage in holding[row.id]) / len(content)

    overlap = asked.assign(overlap=[shared(row) for row in asked.itertuples()]).groupby("style")["overlap"]
    # Measured: 0.20, against 0.80 of the keywords and 0.74 of the names. Nine in ten share a third or less.
    assert overlap.mean()["paraphrase"] < 0.25
    assert overlap.quantile(0.9)["paraphrase"] < 0.35
    assert overlap.max()["paraphrase"] <= 0.5
    assert overlap.mean()["keyword"] > 0.7 and overlap.mean()["name_number"] > 0.65


# --- frozen ---


def test_the_labels_are_those_of_the_leaderboard(asked):
    content = "".join(
        f"{row.id}\t{json.dumps(row.labels, sort_keys=True)}\n" for row in asked.sort_values("id").itertuples()
    )
    found = (datasets.LABELS_VERSION, hashlib.sha256(content.encode()).hexdigest())
    assert found == LABELS, "labels changed: raise LABELS_VERSION and recompute (python -m helpers.benchmark)"


# --- those that the encyclopedia does not answer ---


@pytest.fixture(scope="module")
def unanswerable():
    return datasets.unanswerable_questions()


def plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def test_half_of_them_are_near_and_half_far_in_both_splits(unanswerable):
    counts = unanswerable.groupby(["split", "kind"]).size().to_dict()
    assert counts == {("dev", "far"): 13, ("dev", "near"): 13, ("test", "far"): 27, ("test", "near"): 27}
    for split in ("dev", "test"):
        part = datasets.unanswerable_questions(split)
        assert part["id"].tolist() == unanswerable.loc[unanswerable["split"] == split, "id"].tolist()
        assert part.index.tolist() == list(range(len(part)))


def test_near_ones_are_spread_over_articles_that_exist_and_far_ones_have_none(unanswerable):
    near = unanswerable["kind"] == "near"
    articles = unanswerable.loc[near, "near_article"]
    assert set(articles) <= set(datasets.articles()["title"])
    assert articles.nunique() >= 30
    assert unanswerable.loc[~near, "near_article"].isna().all()


def test_ids_and_texts_are_unique_also_among_the_labelled_ones(unanswerable, asked):
    assert unanswerable["id"].is_unique
    assert not set(unanswerable["id"]) & set(asked["id"])
    labelled = {plain(text) for text in [*asked["question"], *asked["english"].dropna()]}
    assert not unanswerable["question"].map(plain).duplicated().any()
    assert not set(unanswerable["question"].map(plain)) & labelled
    contents = {frozenset(stems(text)) for text in [*asked["question"], *asked["english"].dropna()]}  # in any order
    assert not set(unanswerable["question"].map(lambda text: frozenset(stems(text)))) & contents


def test_they_look_like_the_labelled_ones(unanswerable, asked):
    whole = unanswerable["question"].str.fullmatch(r"[A-Z][^?]*\w\W?\?")
    typed = unanswerable["question"].str.fullmatch(r"[^\s?][^?]*\w")
    assert unanswerable.loc[~whole & ~typed, "question"].empty
    usual = asked.loc[asked["style"] != "spanish", "question"].str.split().str.len()
    for _, texts in unanswerable.groupby("kind")["question"]:
        assert 0.7 < texts.str.endswith("?").mean() < 0.9  # measured: 0.80 and 0.78, against 0.82
        lengths = texts.str.split().str.len()  # 9.6 and 9.4 words, against 11.1
        assert usual.min() <= lengths.min() and lengths.max() <= usual.max()
        assert abs(lengths.mean() - usual.mean()) < 2


def test_each_says_why_and_nearly_all_what_the_answer_is_elsewhere(unanswerable):
    assert unanswerable["why"].str.fullmatch(r"[A-Z].*\w\.").all()
    assert unanswerable["answer_elsewhere"].notna().mean() > 0.9
    assert unanswerable["answer_elsewhere"].dropna().str.fullmatch(r"\S(.*\S)?").all()


def test_a_name_that_would_be_the_answer_stands_nowhere_near(unanswerable):
    """Numbers are everywhere, so only words can be searched for; the article a question is near to must lack them."""
    texts = datasets.articles().set_index("title")["text"].map(plain)
    found = []
    for row in unanswerable[unanswerable["kind"] == "near"].itertuples():
        answer = plain(re.sub(r" \(.*?\)|^(the|in) ", "", row.answer_elsewhere))
        if not re.search(r"\d", answer) and f" {answer} " in f" {texts[row.near_article]} ":
            found.append(row.id)
    assert found == []


def test_they_are_those_that_the_text_was_searched_for(unanswerable):
    content = "".join(f"{row.id}\t{row.kind}\t{row.split}\t{row.question}\n" for row in unanswerable.itertuples())
    assert hashlib.sha256(content.encode()).hexdigest() == UNANSWERABLE


# --- a damaged file is told ---


def test_the_copy_that_the_next_tests_damage_is_read_as_it_is(asked, question_file):
    question_file(lambda row: row)
    again = datasets.questions()
    assert again["labels"].tolist() == asked["labels"].tolist() and again["judged"].tolist() == asked["judged"].tolist()


@pytest.mark.parametrize(
    "line",
    ['{"id": "q003", "question": "Which two chem', "", "[]", "null", "<<<<<<< HEAD"],
    ids=["cut off", "empty", "a list", "null", "a merge conflict"],
)
def test_a_damaged_line_is_named(question_file, line):
    question_file(line)
    with pytest.raises(ValueError, match="Line 3 of data/questions.jsonl is damaged .*git checkout"):
        datasets.questions()


@pytest.mark.parametrize(
    "field",
    ["id", "question", "style", "split", "origin", "answer", "article", "span", "labels", "judged_0"],
)
def test_a_missing_field_is_named_with_its_line(question_file, field):
    question_file(lambda row: {name: value for name, value in row.items() if name != field})
    with pytest.raises(ValueError, match=f"Line 3 of data/questions.jsonl .*{field}"):
        datasets.questions()


@pytest.mark.parametrize("field", ["labels", "judged_0"])
def test_a_field_of_another_kind_is_told(question_file, field):
    question_file(lambda row: row | {field: None})
    with pytest.raises(ValueError, match="Line 3 of data/questions.jsonl is damaged"):
        datasets.questions()


def test_a_label_on_a_passage_that_does_not_exist_is_told_with_its_question(question_file):
    question_file(lambda row: row["labels"].update({"Aardvark#999": 1}))
    with pytest.raises(ValueError, match=r"Question q003 .*do not exist: \['Aardvark#999'\].*When the parse changes"):
        datasets.questions()
    question_file(lambda row: row["judged_0"].append("Zebra#000"))
    with pytest.raises(ValueError, match="Question q003 .*Zebra#000"):
        datasets.questions()


@pytest.mark.parametrize("read", [datasets.questions, datasets.unanswerable_questions])
def test_an_unknown_split_is_told(read):
    with pytest.raises(ValueError, match='"dev", "test" or None, not \'train\''):
        read("train")


@pytest.fixture
def unanswerable_file(tmp_path, monkeypatch):
    """A copy of the file in the place of the real one, whose first line a function replaces."""
    lines = (datasets.DATA / "unanswerable_questions.jsonl").read_text(encoding="utf-8").splitlines()
    datasets.articles()  # parsed before its folder is moved
    monkeypatch.setattr(datasets, "DATA", tmp_path)

    def replace(**changes) -> None:
        row = {name: value for name, value in (json.loads(lines[0]) | changes).items() if value is not None}
        text = "\n".join([json.dumps(row), *lines[1:]]) + "\n"
        (tmp_path / "unanswerable_questions.jsonl").write_text(text, encoding="utf-8")
        datasets.unanswerable_questions.cache_clear()

    yield replace
    datasets.unanswerable_questions.cache_clear()


def test_a_near_question_without_its_article_is_told(unanswerable_file):
    for article in ("Zebra", None):
        unanswerable_file(kind="near", near_article=article)
        with pytest.raises(ValueError, match=f"Question u001 .*an article that does not exist: '?{article}"):
            datasets.unanswerable_questions()


@pytest.mark.parametrize("field", ["id", "question", "kind", "split", "why"])
def test_a_missing_field_of_an_unanswerable_question_is_named(unanswerable_file, field):
    unanswerable_file(**{field: None})
    with pytest.raises(ValueError, match=f"Line 1 of data/unanswerable_questions.jsonl .*{field}.*git checkout"):
        datasets.unanswerable_questions()
