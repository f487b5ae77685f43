"""What the slide decks promise: nothing lost, nothing cut off, nothing asked of the network, notes for the speaker."""

import http.client
import json
import re
import runpy
import subprocess
import sys

import nbformat
import pytest
from browser import open_browser
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers import slides
from helpers.datasets import DATA

ROOT = DATA.parent
NOTEBOOKS = {path.stem: path for path in (ROOT / "notebooks").glob("*/*.ipynb")}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def markdown(source, kind="fragment"):
    return new_markdown_cell(source, metadata={"slideshow": {"slide_type": kind}})


def code(source, *outputs, kind="fragment"):
    return new_code_cell(source, outputs=list(outputs), metadata={"slideshow": {"slide_type": kind}})


def display(**data):
    return new_output("display_data", data={kind.replace("_", "/"): value for kind, value in data.items()})


def write(path, *cells):
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path


@pytest.fixture
def deck(tmp_path):
    """Turns cells into the text of a deck's <main>."""

    def make(*cells):
        text = slides.deck(write(tmp_path / "lesson.ipynb", *cells))
        return re.search("(?s)<main.*</main>", text)[0]

    return make


# ---------------------------------------------------------------- from the notebook to HTML


def test_slide_types_decide_what_is_shown_and_where(deck):
    text = deck(
        markdown("# One", "slide"),
        markdown("for the speaker", "notes"),
        markdown("later"),
        markdown("left out", "skip"),
        markdown("## Two", "subslide"),
        markdown("same", "-"),
    )
    assert text.count("<section") == 2 and "left out" not in text
    assert '<aside class="notes"><p>for the speaker</p>' in text.partition("</section>")[0]
    assert [" data-fragment" in cell for cell in re.findall("<div class=.cell[^>]*>", text)] == [
        False,
        True,
        False,
        False,
    ]


def test_a_fragment_that_opens_a_slide_is_there_at_once(deck):
    assert "data-fragment" not in deck(markdown("first"))


def test_formulas_become_mathml_in_every_lesson():
    for path in NOTEBOOKS.values():
        for cell in nbformat.read(path, 4).cells:
            if cell.cell_type == "markdown" and "$" in cell.source:
                text = re.sub("(?s)<code.*?</code>", "", slides.markdown(cell, path.parent))
                assert not re.search(r"\$[^$]+\$|\\[a-z]{2}", text), f"{path.name}, cell {cell.id}"


def test_links_to_other_notebooks_stay_as_words_and_links_outside_as_links(deck):
    text = deck(markdown("[lesson 03](03_word_vectors.ipynb) and [a paper](https://arxiv.org/abs/1)", "slide"))
    assert '<span class="link">lesson 03</span>' in text and 'href="https://arxiv.org/abs/1"' in text
    assert "03_word" not in text


def test_pictures_are_inside_and_bring_their_alternative_text(deck):
    figure = display(image_png=PIXEL, text_plain="<Figure size 640x480>")
    figure.metadata["image/png"] = {"alt": 'Bars: "a" < b'}
    text = deck(
        code("show(figure)", figure, kind="slide"), markdown("![a map](nowhere.png) ![two](https://a.org/b.png)")
    )
    assert f'src="data:image/png;base64,{PIXEL}" alt="Bars: &quot;a&quot; &lt; b"' in text
    assert "nowhere" not in text and "a.org" not in text and "a map" in text


def test_every_picture_of_the_course_has_its_alternative_text():
    for name, path in NOTEBOOKS.items():
        for cell in nbformat.read(path, 4).cells:
            for output in cell.get("outputs", []):
                if "image/png" in output.get("data", {}):
                    assert 'alt=""' not in slides.output_html(output) and "alt" in output.metadata["image/png"], name


def test_widgets_progress_bars_scripts_and_styles_stay_out(deck):
    widget = new_output(
        "display_data", data={"application/vnd.jupyter.widget-view+json": {}, "text/plain": "IntSlider"}
    )
    text = deck(
        code(
            "x = 1",
            widget,
            display(text_html="<progress max=1></progress>", text_plain="Encoding"),
            display(text_html="<style>td {}</style><b>bold</b><script>alert(1)</script>"),
            kind="slide",
        )
    )
    assert "<b>bold</b>" in text and not re.search("IntSlider|progress|alert|td {", text)


def test_text_of_outputs_is_shown_and_never_run(deck):
    text = deck(code("x", new_output("stream", text="<img src=x onerror=alert(1)>\n"), kind="slide"))
    assert "&lt;img" in text and "<img" not in text


def test_code_is_shortened_only_where_it_says_nothing_to_the_room():
    source = 'x = "é"\n\n\ndef f(): ...\n\n\nshow(\n    figure,\n    alt="Long words, " "and more",\n)'
    assert slides.for_the_screen(source) == 'x = "é"\n\ndef f(): ...\n\nshow(figure, alt="…")'
    assert slides.for_the_screen("%time x = (") == "%time x = (", "no Python, so it stays"
    assert slides.for_the_screen('image(alt="a")') == 'image(alt="a")'


def test_code_that_only_draws_moves_into_the_notes_and_all_other_code_stays(deck):
    drawing = "figure = draw()\n" + "axes.grid()\n" * slides.SHORT + "show(figure, alt='two bars')"
    picture = display(image_png=PIXEL)

    def places(source, *outputs):
        page, notes = deck(code(source, *outputs, kind="slide")), ""
        if "<aside" in page:
            page, _, notes = page.partition("<aside")
        assert ("<img" in page) == (picture in outputs), "the picture stays on the slide"
        return "axes" in page, "axes" in notes

    assert places(drawing, picture) == (False, True)
    assert places(drawing, picture, new_output("stream", text="0.79\n")) == (True, False), "it says something, too"
    assert places(drawing) == (True, False), "it draws nothing"
    assert places("def f(axes):\n    return axes\n\n\n" + drawing, picture) == (True, False), "it teaches"
    assert places("%matplotlib inline\n" + drawing, picture) == (True, False), "no Python"
    assert places("axes.grid()\nshow(figure)", picture) == (True, False), "short"


def test_a_quiz_becomes_one_slide_per_question():
    path = NOTEBOOKS["quiz_1"]
    questions = json.loads((DATA / "quizzes" / "quiz_1.json").read_text(encoding="utf-8"))
    found = slides.slides(nbformat.read(path, 4), path.parent)
    asked = [slide for slide in found if 'class="question"' in slide]
    assert len(asked) == len(questions)
    for slide, question in zip(asked, questions, strict=True):
        assert question["question"] in slide
        notes = slide.partition('<aside class="notes">')[2]
        assert all(answer["feedback"] in notes for answer in question["answers"])
        right = sum(answer.get("correct") is True for answer in question["answers"] if answer.get("answer"))
        assert slide.count('class="right"') == right


def test_what_is_no_notebook_gets_a_sentence(tmp_path, capsys):
    damaged = tmp_path / "damaged.ipynb"
    damaged.write_text('{"cells": [', encoding="utf-8")
    empty = write(tmp_path / "empty.ipynb", markdown("all", "skip"))
    for path, words in [(damaged, "is not a notebook"), (empty, "has no slides")]:
        assert slides.main([str(path), "--no-browser"]) == 1
        assert words in capsys.readouterr().out


def test_a_deck_is_written_at_once_or_not_at_all(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(slides, "DECKS", tmp_path / "decks")
    lesson = write(tmp_path / "lesson.ipynb", markdown("# One", "slide"))
    assert slides.main([str(lesson), "--no-browser"]) == 0
    assert str(tmp_path / "decks" / "lesson.html") in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "decks").iterdir()] == ["lesson.html"]
    opened = []
    monkeypatch.setattr(slides.webbrowser, "open", lambda url: opened.append(url) or True)
    assert slides.main([str(lesson), "--output", str(tmp_path / "mine.html")]) == 0 and not opened
    assert slides.main([str(lesson)]) == 0 and opened == [(tmp_path / "decks" / "lesson.html").as_uri()]


def test_a_deck_can_be_served_on_this_machine_only(tmp_path):
    lesson = write(tmp_path / "lesson.ipynb", markdown("# One", "slide"))
    command = [
        sys.executable,
        "-m",
        "helpers.slides",
        str(lesson),
        "--output",
        str(tmp_path / "deck.html"),
        "--port",
        "0",
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8") as server:
        try:
            lines = iter(server.stdout.readline, "")
            host, port = next(
                re.search(r"http://([\d.]+):(\d+)/deck.html", line).groups() for line in lines if "http" in line
            )
            connection = http.client.HTTPConnection(host, int(port), timeout=10)
            connection.request("GET", "/deck.html")
            assert host == "127.0.0.1" and b"<h1>One</h1>" in connection.getresponse().read()
            connection.close()
        finally:
            server.terminate()


# ---------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def tool():
    """The functions of benchmarks/slides.py."""
    return runpy.run_path(str(ROOT / "benchmarks" / "slides.py"), run_name="tool")


@pytest.fixture(scope="module")
def browser():
    with open_browser() as running:
        yield running


@pytest.mark.parametrize("name", ["02_one_hot_and_tf_idf", "quiz_1"])
def test_a_lesson_fits_the_screen_and_needs_no_network(name, tool, browser, tmp_path):
    found = tool["check"](browser, slides.write(NOTEBOOKS[name], tmp_path / "deck.html"))
    assert not found["problems"] and found["pages"] >= 15
    assert found["code"] is None or found["code"] >= 18


def hostile(folder):
    """A notebook whose cells are all larger than a page."""

    def table(rows, columns):
        row = "<tr><th>{}</th>" + "<td>a word or two</td>" * columns + "</tr>"
        return f"<table><thead>{row}</thead><tbody>{''.join(row.format(n) for n in range(rows))}</tbody></table>"

    figure = display(image_png=PIXEL, text_plain="a figure of one pixel that is drawn very high")
    return write(
        folder / "hostile.ipynb", markdown("# " + "A very long title " * 12, "slide"), markdown("Notes. " * 40, "notes"),
        code("\n".join(f"line_{n} = '''{'x' * 60}'''" for n in range(70)), new_output("stream", text="out\n" * 90)),
        code("wide = 1  # " + "comment " * 60, new_output("stream", text="word " * 400 + "x" * 900)),
        markdown("word " * 1500), markdown("- " + "item " * 60 + "\n" + "- another\n" * 40), markdown("### Last\n\n" * 3),
        code("html", display(text_html="bare <b>text</b> around")),
        markdown("<details><summary>Open</summary>\n\n" + "fold " * 900 + "\n\n</details>", "subslide"),
        code("table", display(text_html=table(60, 3)), kind="subslide"), code("wide", display(text_html=table(3, 25))),
        markdown("$$" + " + ".join(f"x_{{{n}}}" for n in range(60)) + "$$"), code("show(figure)", figure))  # fmt: skip


def test_cells_larger_than_a_page_are_parted_and_nothing_is_lost(tool, browser, tmp_path):
    found = tool["check"](browser, slides.write(hostile(tmp_path), tmp_path / "deck.html"))
    assert not found["problems"]
    assert found["pages"] > 12 and found["scaled"] >= 1


def test_the_check_sees_what_does_not_fit(tool, browser, tmp_path):
    file = slides.write(hostile(tmp_path), tmp_path / "deck.html")
    text = file.read_text(encoding="utf-8").replace("</style>", ".area pre { font-size: 30px !important } </style>")
    file.write_text(text, encoding="utf-8")
    assert any("cut off" in problem for problem in tool["check"](browser, file, [(1024, 768)])["problems"])


@pytest.fixture
def page(browser, tmp_path):
    """A small deck, opened as a file."""
    lesson = write(tmp_path / "lesson.ipynb", markdown("# One", "slide"), markdown("Say *hello*.", "notes"), markdown("first"),
                   markdown("<details><summary>Guess</summary>\n\nthe answer\n\n</details>"), markdown("## Two", "slide"),
                   code("x = 1", new_output("stream", text="<script>alert(1)</script>"), kind="-"))  # fmt: skip
    file = slides.write(lesson, tmp_path / "deck.html")
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    yield page
    page.close()


def test_keys_show_step_after_step_and_back(page):
    def seen():
        shown = page.locator(".frame.now .heading, .frame.now .area")
        return [word for word in ("One", "first", "Guess", "the answer", "Two")
                if shown.get_by_text(word, exact=True).first.is_visible()]  # fmt: skip

    for key, expected in [("", ["One"]), ("Space", ["One", "first"]), ("ArrowRight", ["One", "first", "Guess"]),
                          ("PageDown", ["One", "first", "Guess", "the answer"]), ("Space", ["Two"]),
                          ("ArrowLeft", ["One", "first", "Guess", "the answer"]), ("ArrowLeft", ["One", "first", "Guess"]),
                          ("Home", ["One"]), ("ArrowDown", ["Two"]), ("ArrowUp", ["One"]), ("End", ["Two"])]:  # fmt: skip
        if key:
            page.keyboard.press(key)
        assert seen() == expected, key
    assert page.url.endswith("#2")


def test_the_overview_shows_all_pages_and_leads_to_each(page):
    page.keyboard.press("o")
    frames = page.locator(".frame")
    assert frames.count() == 2 and all(frames.nth(number).is_visible() for number in range(2))
    frames.nth(1).click()
    assert page.evaluate("deck.at") == 1 and not frames.nth(0).is_visible()


def test_the_speakers_window_follows_and_leads(page):
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    speaker = opened.value
    assert "Say hello." in speaker.inner_text("#notes")
    speaker.keyboard.press("End")
    assert page.evaluate("deck.at") == 1 and "2 of 2" in speaker.inner_text("#place")
    page.keyboard.press("Home")
    assert "1 of 2" in speaker.inner_text("#place") and speaker.locator("#next .page").count() == 1
    speaker.close()


def test_paper_gets_every_page_with_all_its_steps(page):
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    for word in ("first", "the answer", "Two"):
        assert page.locator(".area, .heading").get_by_text(word, exact=True).is_visible()
    paper = page.pdf(prefer_css_page_size=True)
    assert b"/Count 2" in paper, "as many sheets as pages"


def test_without_scripts_the_text_is_still_there(browser, tmp_path):
    file = slides.write(
        write(tmp_path / "lesson.ipynb", markdown("# One", "slide"), markdown("two")), tmp_path / "deck.html"
    )
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.get_by_text("two").is_visible()
    context.close()
