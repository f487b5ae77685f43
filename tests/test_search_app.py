"""The film finder in a real browser: what a user sees and does, in both languages, on a desktop and on a phone."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import gradio
import pytest
from browser import open_browser
from playwright.sync_api import expect

from helpers import datasets, search_app
from helpers.films import texts

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60_000  # milliseconds; a busy machine is no error
expect.set_options(timeout=PATIENCE)
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
HOSTILE = (
    '<img src=x onerror="window.hacked=1"><script>window.hacked=2</script><svg onload=window.hacked=3> '
    "${window.hacked=4} {{window.hacked=5}} **bold** [link](javascript:window.hacked=6) 🎬"
)


# ---------------------------------------------------------------- starting and ending, without a browser


def empty_page():
    with gradio.Blocks() as page:
        return page


def test_two_apps_take_two_ports_of_this_machine_and_no_link_is_shared(monkeypatch):
    for name, value in {"SHARE": "True", "SERVER_NAME": "0.0.0.0", "SERVER_PORT": "1", "SSR_MODE": "True"}.items():
        monkeypatch.setenv(f"GRADIO_{name}", value)  # settings of other Gradio apps
    pages = [empty_page(), empty_page()]
    try:
        urls = [search_app.launch(page) for page in pages]
        assert len(set(urls)) == 2 and all(re.fullmatch(r"http://127\.0\.0\.1:\d{4}/", url) for url in urls)
        for page in pages:
            assert page.share_url is None and not page.share and page.server.config.host == "127.0.0.1"
        taken = int(urls[0].split(":")[2].strip("/"))
        with pytest.raises(RuntimeError, match=rf"Port {taken} is taken.*--port {taken + 1}"):
            search_app.launch(empty_page(), taken)
    finally:
        for page in pages:
            page.close(verbose=False)


@pytest.mark.parametrize("port", ["-1", "65536", "many"])
def test_a_port_that_is_none_is_refused(port, capsys):
    with pytest.raises(SystemExit):
        search_app.main(["--port", port])
    assert "port" in capsys.readouterr().err


# ---------------------------------------------------------------- in the browser


def hear_ctrl_c():
    """Where the tests run in the background of a shell, SIGINT is ignored, and every process would inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def app():
    """The address of one app for all tests, in a process that cannot reach beyond this machine; it is ended by Ctrl+C."""
    env = {name: value for name, value in os.environ.items() if name.upper() != "NO_PROXY"}
    env |= {"PYTHONPATH": str(ROOT / "tests" / "loopback"), "PYTHONUTF8": "1"}
    env |= {"HTTP_PROXY": "http://proxy.invalid:3128", "GRADIO_ANALYTICS_ENABLED": "True"}  # the app has to undo both
    command = [sys.executable, "-m", "helpers.search_app", "--no-browser"]
    heard = {} if os.name == "nt" else {"preexec_fn": hear_ctrl_c}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(command, cwd=ROOT, env=env, **pipes, **heard)
    said = []
    for line in process.stdout:
        said.append(line)
        if "is ready: " in line:
            break
    else:
        pytest.fail("The app did not start:\n" + "".join(said))
    yield re.search(r"http://\S+", said[-1])[0]
    if os.name == "nt":
        process.terminate()
        return process.wait()
    process.send_signal(signal.SIGINT)
    try:
        rest = process.communicate(timeout=120)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail("The app does not end by Ctrl+C.")
    assert process.returncode == 0 and "The film finder has ended." in rest and "Traceback" not in rest, rest


@pytest.fixture(scope="module")
def browser():
    with open_browser() as running:
        yield running


@pytest.fixture
def visit(browser, app):
    """visit(viewport, …) opens the app in a fresh profile. In the end no other machine was asked, and no error was written."""
    contexts, requests, problems = [], [], []

    def open_page(viewport=DESKTOP, locale="en-GB", **options):
        context = browser.new_context(viewport=viewport, locale=locale, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.on("request", lambda request: requests.append(request.url))
        context.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
        context.on("weberror", lambda raised: problems.append(str(raised.error)))
        page = context.new_page()
        page.goto(app)
        ready(page)
        return page

    yield open_page
    for context in contexts:
        assert all(page.evaluate("window.hacked") is None for page in context.pages)
        context.close()
    beyond = [url for url in requests if not re.match(r"(http://127\.0\.0\.1:\d+/|data:|blob:)", url)]
    assert requests and beyond == [] and problems == []


def ready(page):
    page.wait_for_function("document.documentElement.dataset.ready === 'yes'")


def ask(page, text):
    """Type a query and press Enter, as a user does, and wait until its answer stands there."""
    page.get_by_role("textbox").fill(text)
    page.get_by_role("textbox").press("Enter")
    expect(headline(page)).to_contain_text(" ".join(text[:30].split()))


def headline(page):
    return page.locator("#status .headline")


def status(page):
    return page.locator("#status")


def genre(page, name):
    """The box of a genre, whatever its count is."""
    return page.locator("#genres").get_by_role("checkbox", name=re.compile(rf"^\W*{name} \(\d+\)$"))


def titles(page):
    return page.get_by_role("heading", level=3)


def fits(page):
    """Whether nothing is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_visitor_is_met_with_films_to_browse(visit):
    page = visit()
    expect(page).to_have_title(re.compile("Film finder"))
    expect(headline(page)).to_have_text("To browse: 347 films, newest first")
    expect(titles(page)).to_have_count(10)
    expect(page.get_by_role("heading", level=1)).to_have_text("Film finder")
    assert page.evaluate("document.documentElement.lang") == "en" and fits(page)


def test_a_search_in_english_marks_the_sentence_and_says_why(visit):
    page = visit()
    ask(page, "a knight plays chess with death")
    expect(titles(page).first).to_have_text("The Seventh Seal")
    card = page.get_by_role("article").first
    expect(card.locator("mark")).to_contain_text("challenges him to chess")
    expect(card).to_contain_text("Original title: Det sjunde inseglet")
    expect(card).to_contain_text("Words in common: ")
    expect(card).to_contain_text("1957 · Ingmar Bergman · Sweden")
    expect(card.locator(".closeness")).to_have_text(re.compile("Close"))
    expect(status(page)).to_contain_text("Read as English.")


def test_a_search_in_spanish_says_how_it_was_understood_and_can_be_put_right(visit):
    page = visit()
    ask(page, "una partida de ajedrez con la muerte")
    expect(titles(page).first).to_have_text("The Seventh Seal")
    expect(status(page)).to_contain_text("Read as Spanish, understood word by word as “game of chess with death”")
    page.locator("#read-as").get_by_label("English").check()
    expect(status(page)).to_contain_text("Read as English.")
    page.locator("#read-as").get_by_label("Automatic").check()
    expect(status(page)).to_contain_text("Read as Spanish")


@pytest.mark.parametrize("language", ["en", "es"])
def test_examples_are_searched_at_a_click(visit, language):
    page = visit()
    for example in texts.EXAMPLES[language]:
        button = page.get_by_role("button", name=example)
        expect(button).to_have_attribute("lang", language)
        button.click()
        expect(headline(page)).to_have_text(f"10 films for “{example}”")
        expect(page.get_by_role("textbox")).to_have_value(example)
        expect(page.locator(".closeness").first).to_have_text(re.compile("Close|Related|By name"))


def test_filters_narrow_the_films_and_count_what_remains(visit):
    films = datasets.films()
    western = films[[("Western" in genres) for genres in films["genres"]]]
    page = visit()
    genre(page, "Western").check()
    expect(status(page)).to_contain_text("5 of 347 films pass your filters")
    expect(titles(page)).to_have_count(5)
    page.get_by_label("To year").fill("1965")
    page.get_by_label("To year").press("Enter")
    until = int((western["year"] <= 1965).sum())
    expect(status(page)).to_contain_text(f"{until} of 347 films")
    country = western["country"][western["year"] <= 1965].iloc[0]
    n = int((western["country"][western["year"] <= 1965] == country).sum())
    page.get_by_label("Country").click()
    page.get_by_label("Country").press_sequentially(country)
    page.get_by_role("option", name=f"{country} ({n})").click()
    expect(status(page)).to_contain_text(f"{n} of 347 films")
    ask(page, "a duel")
    expect(headline(page)).to_have_text(f"{n} film{'s' * (n != 1)} for “a duel”")
    page.get_by_role("button", name="Clear filters").click()
    expect(headline(page)).to_have_text("10 films for “a duel”")
    expect(page.get_by_label("To year")).to_have_value("2024")
    expect(genre(page, "Western")).not_to_be_checked()


def test_the_number_of_films_can_be_chosen(visit):
    page = visit()
    page.get_by_label("Films shown").click()
    page.get_by_role("option", name="20").click()
    expect(titles(page)).to_have_count(20)


def test_filters_that_leave_nothing_say_what_to_loosen_and_turned_years_are_put_right(visit):
    page = visit()
    genre(page, "Western").check()
    expect(titles(page)).to_have_count(5)
    page.get_by_label("From year").fill("2010")
    page.get_by_label("From year").press("Tab")
    expect(headline(page)).to_have_text("No film passes these filters")
    expect(page.locator("#results")).to_contain_text(re.compile(r"Without the genre filter: \d+ films"))
    page.get_by_label("To year").fill("1950")
    page.get_by_label("To year").press("Enter")
    expect(status(page)).to_contain_text("read as 1950–2010")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_hostile_text_is_shown_as_text(visit, viewport):
    page = visit(viewport)
    ask(page, HOSTILE)
    expect(headline(page)).to_contain_text("<img src=x onerror=")
    expect(headline(page)).to_contain_text("<script>window.hacked=2</script>")
    page.locator("#language").get_by_label("Español").check()
    expect(headline(page)).to_contain_text("10 películas para «<img src=x onerror=")
    assert page.locator("#status img, #status script, #results img, #results script, #status a").count() == 0
    assert page.evaluate("window.hacked") is None and fits(page)


def test_long_text_and_right_to_left_text_keep_the_page_in_shape(visit):
    page = visit(PHONE)
    for text in ("a very long story of love " * 3_847, "x" * 100_000):
        ask(page, text[:100_000])
        expect(status(page)).to_contain_text("Your text has 100,000 characters; the first 300 were read.")
        assert fits(page)
    ask(page, "فيلم عن الحرب والحب بين شابين")
    expect(status(page)).to_contain_text("I read English and Spanish only")
    directions = (
        "[...document.querySelectorAll('#query textarea, #status bdi')].map(e => getComputedStyle(e).direction)"
    )
    assert page.evaluate(directions)[:2] == ["rtl", "rtl"] and fits(page)


def test_the_interface_changes_its_language_and_keeps_what_was_asked_even_over_a_reload(visit):
    page = visit()
    genre(page, "Drama").check()
    expect(status(page)).to_contain_text("of 347 films pass")
    ask(page, "a chess game with death")
    expect(titles(page).first).to_have_text("The Seventh Seal")
    page.locator("#language").get_by_label("Español").check()
    for turn in ("switched", "reloaded"):
        expect(titles(page).first, turn).to_have_text("El séptimo sello")
        expect(headline(page)).to_have_text("10 películas para «a chess game with death»")
        expect(page.get_by_role("textbox", name="¿De qué trata la película?")).to_have_value("a chess game with death")
        expect(genre(page, "Drama")).to_be_checked()
        expect(genre(page, "Bélico")).to_be_visible()
        expect(page.get_by_role("button", name="Quitar los filtros")).to_be_visible()
        assert page.evaluate("document.documentElement.lang") == "es"
        page.reload()
        ready(page)


def test_a_spanish_browser_is_met_in_spanish(visit):
    page = visit(PHONE, locale="es-AR")
    expect(page.get_by_role("heading", level=1)).to_have_text("Buscador de películas")
    expect(headline(page)).to_have_text("Para curiosear: 347 películas, las nuevas primero")


@pytest.mark.parametrize("locale", ["en", "es"])
def test_on_a_phone_nothing_scrolls_sideways_and_filters_are_folded(visit, locale):
    page = visit(PHONE, locale=locale)
    panel = page.locator("#filters > button")
    expect(panel).to_have_attribute("aria-expanded", "false")
    ask(page, "two sisters in the war")
    assert fits(page)
    panel.click()
    expect(panel).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#genres")).to_be_visible()
    assert fits(page)


OUTLINE = """(element) => {
  const style = getComputedStyle(document.activeElement.closest(element));
  return `${style.outlineStyle} ${style.outlineWidth}`;
}"""
NAMELESS = """[...document.querySelectorAll("button, input, textarea")].filter(
  (e) => e.offsetParent && !(e.ariaLabel || e.innerText || e.labels?.length)).length"""


def test_the_keyboard_is_enough(visit):
    page = visit()
    expect(page.get_by_role("textbox")).to_be_focused()
    page.keyboard.type("a chess game with death")
    page.keyboard.press("Enter")
    expect(titles(page).first).to_have_text("The Seventh Seal")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Search")).to_be_focused()
    assert page.evaluate(OUTLINE, "button") == "solid 3px"
    page.keyboard.press("Tab")
    first = texts.EXAMPLES["en"][0]
    expect(page.get_by_role("button", name=first)).to_be_focused()
    for _ in texts.EXAMPLES["en"] + texts.EXAMPLES["es"]:
        page.keyboard.press("Tab")
    expect(page.locator("#filters > button")).to_be_focused()
    page.keyboard.press("Tab")
    expect(genre(page, "Action")).to_be_focused()
    assert page.evaluate(OUTLINE, "label") == "solid 3px", "the chip, since its box is hidden"
    page.keyboard.press("Space")
    expect(genre(page, "Action")).to_be_checked()
    expect(status(page)).to_contain_text("films pass your filters")


def test_a_screen_reader_finds_names_and_places(visit):
    page = visit()
    for role in ("main", "search"):
        expect(page.get_by_role(role)).to_have_count(1)
    expect(status(page)).to_have_attribute("role", "status")
    expect(status(page)).to_have_attribute("aria-live", "polite")
    for role, name in [
        ("textbox", "What is the film about?"),
        ("group", "Language of this page"),
        ("group", "Genre"),
        ("group", "Read my words as"),
        ("combobox", "Country"),
        ("combobox", "Films shown"),
        ("spinbutton", "From year"),
        ("spinbutton", "To year"),
        ("button", "Switch between light and dark"),
        ("region", "Filters"),
        ("region", "Results"),
        ("heading", "Results"),
    ]:
        expect(page.get_by_role(role, name=name).first).to_be_attached()
    assert page.evaluate(NAMELESS) == 0
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(e => +e.tagName[1])")
    assert levels == [1, 2] + [3] * 10


CONTRASTS = """() => {
  const light = (c) => { const f = c.map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                         return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2]; };
  const colour = (text) => (text.match(/[0-9.]+/g) || []).map(Number);
  const behind = (e) => { for (; e; e = e.parentElement) { const c = colour(getComputedStyle(e).backgroundColor);
                          if (c.length === 3 || c[3] === 1) return c; } return [255, 255, 255]; };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    if (["SCRIPT", "STYLE"].includes(e.tagName)) continue;
    const a = light(colour(getComputedStyle(e).color)), b = light(behind(e));
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), walk.currentNode.data.trim().slice(0, 30)]);
  }
  return found;
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_are_readable(visit, theme):
    page = visit(color_scheme=theme, reduced_motion="reduce")
    genre(page, "Drama").check()
    expect(status(page)).to_contain_text("films pass your filters")
    ask(page, "a chess game with death")
    expect(titles(page).first).to_have_text("The Seventh Seal")
    dark = "getComputedStyle(document.querySelector('.film')).backgroundColor.match(/\\d+/g).every(v => v < 60)"
    assert page.evaluate(dark) == (theme == "dark")
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 100 and [each for each in contrasts if each[0] < 4.5] == [], "WCAG AA"
    assert page.evaluate("getComputedStyle(document.querySelector('.film')).transitionProperty") in ("none", "all")
    assert page.evaluate("getComputedStyle(document.querySelector('.film')).transitionDuration") == "0s"
    page.get_by_role("button", name="Switch between light and dark").click()
    assert page.evaluate(dark) == (theme == "light")
