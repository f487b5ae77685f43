"""The film finder as a web page (Gradio), for this machine only: ``python course.py app``, or in a notebook

    launch(build(Finder()))

What is found stands in film_finder.py, what the page answers in film_answers.py, its HTML in film_cards.py, its words in
film_texts.py, its looks in search_app.css.
"""

import argparse
import os
import signal
import sys
import time
import webbrowser
from pathlib import Path

# Read when gradio is imported: no analytics; and no proxy between the page and this machine.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
for _name in ("NO_PROXY", "no_proxy"):
    os.environ[_name] = ",".join(filter(None, [os.environ.get(_name), "127.0.0.1", "localhost"]))

import gradio as gr  # noqa: E402

from helpers import film_cards as cards  # noqa: E402
from helpers.film_answers import answer, choices, filters_of  # noqa: E402
from helpers.film_filters import Filters  # noqa: E402
from helpers.film_finder import Finder  # noqa: E402
from helpers.film_texts import EXAMPLES, TEXTS, readings  # noqa: E402

HOST, PORT = "127.0.0.1", 7860
NUMBERS = [5, 10, 20, 50]
HERE = Path(__file__).parent
AT_ONCE = 4  # searches at a time; more would only wait for each other, since two cores do the work
FIELD_LABELS = ["interface", "query", "read_as", "genres", "countries", "first", "last", "number"]
FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
THEME = gr.themes.Base(primary_hue="indigo", neutral_hue="slate", font=FONTS, font_mono=["ui-monospace", "monospace"])
QUIET = dict(api_visibility="private", show_progress="hidden")


def build(finder: Finder) -> gr.Blocks:
    """The page around a finder; ``launch`` shows it. In English at first: the browser's language is asked when it loads."""
    text, years = TEXTS["en"], (int(finder.films["year"].min()), int(finder.films["year"].max()))
    genre_choices, country_choices = choices(finder, "en", Filters())
    start = answer(finder, "en", "", "auto", [], [], None, None, 10)
    with gr.Blocks(title="Film finder · Buscador de películas", analytics_enabled=False) as page:
        with gr.Row(elem_id="top"):
            hero = _html(cards.hero("en"), "hero")
            language = gr.Radio(
                [("English", "en"), ("Español", "es")], value="en", label=text["interface"], elem_id="language"
            )
            gr.Button("◐", elem_id="theme")  # search_app.js does the work
        with gr.Row(elem_id="ask"):
            attributes = gr.InputHTMLAttributes(enterkeyhint="search", autocomplete="off", spellcheck=False)
            query = gr.Textbox(
                label=text["query"], placeholder=text["placeholder"], elem_id="query", autofocus=True, scale=1,
                max_lines=3, html_attributes=attributes,
            )  # fmt: skip
            search = gr.Button(text["search"], variant="primary", elem_id="search")
        with gr.Row(elem_id="examples"):
            tries = _html(cards.small(text["examples"], "en"), "try")
            asked = [(key, each) for key, several in EXAMPLES.items() for each in several]
            examples = [gr.Button(each, size="sm", elem_classes=["example", key]) for key, each in asked]
        with gr.Row(elem_id="body"):
            with (
                gr.Column(elem_id="side", scale=0, min_width=300),
                gr.Accordion(text["filters"], elem_id="filters") as panel,
            ):
                about = {
                    key: dict(elem_id=key, label=text[key], info=text[f"{key}_info"]) for key in ("genres", "countries")
                }
                genres = gr.CheckboxGroup(genre_choices, **about["genres"])
                countries = gr.Dropdown(country_choices, value=[], multiselect=True, **about["countries"])
                with gr.Row(elem_id="years"):
                    first = gr.Number(years[0], label=text["first"], precision=0, min_width=100)
                    last = gr.Number(years[1], label=text["last"], precision=0, min_width=100)
                number = gr.Dropdown(NUMBERS, value=10, label=text["number"], elem_id="number", filterable=False)
                clear = gr.Button(text["clear"], size="sm", elem_id="clear")
            with gr.Column(elem_id="found", min_width=280):
                with gr.Row(elem_id="summary"):
                    status = _html(start[0], "status")
                    read_as = gr.Radio(readings("en"), value="auto", label=text["read_as"], elem_id="read-as")
                results = _html(start[1], "results")
        foot = _html(cards.foot("en"), "foot")

        fields = [language, query, read_as, genres, countries, first, last, number]
        shown = [status, results]

        def ask(*values):
            return answer(finder, *values)

        def narrow(*values):
            counted = choices(finder, values[0], filters_of(finder, *values[3:7]))
            return *(gr.update(choices=each) for each in counted), *ask(*values)

        def reset(language, query, read_as, *rest):
            all_genres, all_countries, *answered = narrow(language, query, read_as, [], [], *years, rest[-1])
            return all_genres | dict(value=[]), all_countries | dict(value=[]), *years, *answered

        def translate(*values):
            key, new = values[0], TEXTS[values[0]]
            counted = choices(finder, key, filters_of(finder, *values[3:7]))
            updates = {field: gr.update(label=new[word]) for field, word in zip(fields, FIELD_LABELS, strict=True)}
            updates[genres] |= dict(choices=counted[0], info=new["genres_info"])
            updates[countries] |= dict(choices=counted[1], info=new["countries_info"])
            updates[read_as] |= dict(choices=readings(key))
            updates[query] |= dict(placeholder=new["placeholder"])
            others = {
                hero: cards.hero(key), tries: cards.small(new["examples"], key), foot: cards.foot(key),
                search: new["search"], clear: new["clear"], panel: gr.update(label=new["filters"]),
            }  # fmt: skip
            return updates | others | dict(zip(shown, ask(*values), strict=True))

        def welcome(*values):
            """After a reload the browser hands back what its fields held; only that is put in, since somebody may type already."""
            updates = translate(*values)
            for field, value in zip(fields, values, strict=True):
                updates[field] |= {} if value == field.value else dict(value=value)
            return updates

        remember = dict(js="(...fields) => filmFinder.remember(fields)", inputs=fields, **QUIET)
        everything = [*fields, hero, tries, foot, search, clear, panel, *shown]
        begun = page.load(welcome, fields, everything, js="(...fields) => filmFinder.start(fields)", **QUIET)
        begun.then(None, js="() => filmFinder.ready()", **QUIET)
        language.input(translate, outputs=everything, **remember)
        # The one event that programs may ask for too: gradio_client's predict(…, api_name="/search").
        asking = [query.submit, search.click, read_as.input, number.input]
        gr.on(asking, ask, outputs=shown, api_name="search", **(remember | dict(api_visibility="public")))
        narrowing = [genres.input, countries.input, first.submit, first.blur, last.submit, last.blur]
        gr.on(narrowing, narrow, outputs=[genres, countries, *shown], trigger_mode="always_last", **remember)
        clear.click(reset, outputs=[genres, countries, first, last, *shown], **remember)
        for example in examples:
            example.click(lambda text: text, example, query, queue=False, **QUIET).then(ask, outputs=shown, **remember)
    return page


def launch(page: gr.Blocks, port: int = 0) -> str:
    """Serve a page on this machine, without a link to share, and return its address; ``page.close()`` ends it.

    port: 0 takes the first free one from 7860 on. Raises RuntimeError where the port asked for is taken.
    """
    page.queue(default_concurrency_limit=AT_ONCE)
    script = (HERE / "search_app.js").read_text(encoding="utf-8")
    for each in [port] if port else range(PORT, PORT + 100):
        try:
            page.launch(
                share=False, server_name=HOST, server_port=each, prevent_thread_lock=True, quiet=True, inbrowser=False,
                footer_links=[], ssr_mode=False, pwa=False, mcp_server=False, show_error=False,
                theme=THEME, css_paths=HERE / "search_app.css", head=f"<script>{script}</script>",
            )  # fmt: skip
            return f"http://{HOST}:{each}/"
        except OSError:  # taken
            continue
    raise RuntimeError(
        f"Port {port} is taken. Choose another one (--port {port + 1}), or leave --port out."
        if port
        else f"The ports {PORT} to {PORT + 99} are all taken: name another one (--port 9000)."
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python course.py app", description="A film finder, in your browser.")
    parser.add_argument("--port", type=int, default=0, help=f"instead of {PORT}, or the first free one after it")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    options = parser.parse_args(arguments)
    if not 0 <= options.port < 65_536:
        parser.error(f"a port is a number from 1024 to 65535, not {options.port}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl+C does
    page = None
    try:
        print("Loading the films and the model (half a minute the first time, then some seconds) …", flush=True)
        page = build(Finder())
        url = launch(page, options.port)
        if not options.port and not url.endswith(f":{PORT}/"):
            print(f"Port {PORT} is taken, perhaps by another film finder: this one uses the next free one.")
        print(f"The film finder is ready: {url} (Ctrl+C ends it)", flush=True)
        if not options.no_browser:
            webbrowser.open(url)
        while True:  # in small steps: on Windows a wait without end cannot be interrupted
            time.sleep(0.5)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nThe film finder has ended.")
        return 0
    finally:
        if page is not None:
            page.close(verbose=False)


def _html(value: str, name: str) -> gr.HTML:
    return gr.HTML(value, elem_id=name, js_on_load=None)


if __name__ == "__main__":
    sys.exit(main())
