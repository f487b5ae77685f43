"""The film finder's page, made of Gradio's parts: what stands where, and what happens when somebody uses it.

Importing this module sets what Gradio reads when it is imported: no analytics, and no proxy in between.
"""

import os
from types import SimpleNamespace

from helpers import datasets

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("GRADIO_TEMP_DIR", str(datasets.CACHE / "search_app" / "gradio"))
for _name in ("NO_PROXY", "no_proxy"):  # a company's proxy would stand between the page and this machine
    os.environ[_name] = ",".join(filter(None, [os.environ.get(_name), "127.0.0.1", "localhost"]))

import gradio as gr  # noqa: E402

from helpers.films import rendering  # noqa: E402
from helpers.films.answers import answer, choices, filters_of  # noqa: E402
from helpers.films.filtering import ALL  # noqa: E402
from helpers.films.finder import Finder  # noqa: E402
from helpers.films.texts import EXAMPLES, TEXTS, readings  # noqa: E402

LANGUAGES = [("English", "en"), ("Español", "es")]
NUMBERS = [5, 10, 20, 50]
# What answer() wants to know, in its order, and which of TEXTS is each field's label.
FIELDS = {
    "language": "interface", "query": "query", "read_as": "read_as", "genres": "genres", "countries": "countries",
    "first": "first", "last": "last", "number": "number",
}  # fmt: skip
QUIET = dict(api_visibility="private", show_progress="hidden")


def build(finder: Finder) -> gr.Blocks:
    """The page around a finder; ``search_app.launch`` shows it. It changes to Spanish for a browser that speaks Spanish."""
    with gr.Blocks(title="Film finder · Buscador de películas", analytics_enabled=False) as page:
        connect(page, draw(finder), finder)
    return page


def draw(finder: Finder) -> SimpleNamespace:
    """Put all parts on the page that is being made, in English, and return them by name."""
    part, text = SimpleNamespace(), TEXTS["en"]
    part.years = int(finder.films["year"].min()), int(finder.films["year"].max())
    genres, countries = choices(finder, "en", ALL)
    status, films = answer(finder, "en", "", "auto", [], [], None, None, 10)
    with gr.Row(elem_id="top"):
        part.hero = _html(rendering.hero("en"), "hero")
        part.language = gr.Radio(LANGUAGES, value="en", label=text["interface"], elem_id="language")
        gr.Button("◐", elem_id="theme")  # page.js does the work
    with gr.Row(elem_id="ask"):
        attributes = gr.InputHTMLAttributes(enterkeyhint="search", autocomplete="off", spellcheck=False)
        part.query = gr.Textbox(
            label=text["query"], placeholder=text["placeholder"], elem_id="query", autofocus=True, max_lines=3,
            html_attributes=attributes,
        )  # fmt: skip
        part.search = gr.Button(text["search"], variant="primary", elem_id="search")
    with gr.Row(elem_id="examples"):
        part.tries = _html(rendering.small(text["examples"], "en"), "try")
        asked = [(key, each) for key, several in EXAMPLES.items() for each in several]
        part.examples = [gr.Button(each, size="sm", elem_classes=["example", key]) for key, each in asked]
    with gr.Row(elem_id="body"):
        with gr.Column(elem_id="side", scale=0, min_width=300):
            with gr.Accordion(text["filters"], elem_id="filters") as part.panel:
                hint = text["genres_info"]
                part.genres = gr.CheckboxGroup(genres, label=text["genres"], info=hint, elem_id="genres")
                hint = text["countries_info"]
                part.countries = gr.Dropdown(
                    countries, value=[], multiselect=True, label=text["countries"], info=hint, elem_id="countries"
                )
                with gr.Row(elem_id="years"):
                    part.first = gr.Number(part.years[0], label=text["first"], precision=0, min_width=100)
                    part.last = gr.Number(part.years[1], label=text["last"], precision=0, min_width=100)
                part.number = gr.Dropdown(NUMBERS, value=10, label=text["number"], elem_id="number", filterable=False)
                part.clear = gr.Button(text["clear"], size="sm", elem_id="clear")
        with gr.Column(elem_id="found", min_width=280):
            with gr.Row(elem_id="summary"):
                part.status = _html(status, "status")
                part.read_as = gr.Radio(readings("en"), value="auto", label=text["read_as"], elem_id="read-as")
            part.results = _html(films, "results")
    part.foot = _html(rendering.foot("en"), "foot")
    return part


def connect(page: gr.Blocks, part: SimpleNamespace, finder: Finder) -> None:
    """Say what happens when a part is used. All functions take the values of FIELDS, in this order."""
    fields, shown = [getattr(part, name) for name in FIELDS], [part.status, part.results]
    others = [part.hero, part.tries, part.foot, part.search, part.clear, part.panel]

    def ask(*values):
        return answer(finder, *values)

    def narrow(*values):
        """Other filters: other counts beside the choices, and other films."""
        counted = choices(finder, values[0], filters_of(finder, *values[3:7]))
        return *(gr.update(choices=each) for each in counted), *ask(*values)

    def clear(language, query, read_as, *filters):
        genres, countries, *answered = narrow(language, query, read_as, [], [], *part.years, filters[-1])
        return genres | dict(value=[]), countries | dict(value=[]), *part.years, *answered

    def translate(*values):
        """Another language of the page: other words everywhere, the same values in its fields."""
        key, text = values[0], TEXTS[values[0]]
        genres, countries = choices(finder, key, filters_of(finder, *values[3:7]))
        updates = {getattr(part, name): gr.update(label=text[label]) for name, label in FIELDS.items()}
        updates[part.genres] |= dict(choices=genres, info=text["genres_info"])
        updates[part.countries] |= dict(choices=countries, info=text["countries_info"])
        updates[part.read_as] |= dict(choices=readings(key))
        updates[part.query] |= dict(placeholder=text["placeholder"])
        words = [
            rendering.hero(key),
            rendering.small(text["examples"], key),
            rendering.foot(key),
            text["search"],
            text["clear"],
        ]
        updates |= dict(zip(others, [*words, gr.update(label=text["filters"])], strict=True))
        return updates | dict(zip(shown, ask(*values), strict=True))

    def welcome(*values):
        """After a reload the browser hands back what its fields held; only that is put in: somebody may be typing already."""
        updates = translate(*values)
        for field, value in zip(fields, values, strict=True):
            updates[field] |= {} if value == field.value else dict(value=value)
        return updates

    everything = [*fields, *others, *shown]
    begun = page.load(welcome, fields, everything, js="(...fields) => filmFinder.start(fields)", **QUIET)
    begun.then(None, js="() => filmFinder.ready()", **QUIET)
    remember = dict(js="(...fields) => filmFinder.remember(fields)", inputs=fields, **QUIET)
    part.language.input(translate, outputs=everything, **remember)
    # The one event that programs may ask for too: gradio_client's predict(…, api_name="/search").
    asking = [part.query.submit, part.search.click, part.read_as.input, part.number.input]
    gr.on(asking, ask, outputs=shown, api_name="search", **(remember | dict(api_visibility="public")))
    years = [part.first.submit, part.first.blur, part.last.submit, part.last.blur]  # not at each digit of a year
    narrowing, filters = [part.genres.input, part.countries.input, *years], [part.genres, part.countries]
    gr.on(narrowing, narrow, outputs=[*filters, *shown], trigger_mode="always_last", **remember)
    part.clear.click(clear, outputs=[*filters, part.first, part.last, *shown], **remember)
    for example in part.examples:
        chosen = example.click(lambda text: text, example, part.query, queue=False, **QUIET)
        chosen.then(ask, outputs=shown, **remember)


def _html(value: str, name: str) -> gr.HTML:
    return gr.HTML(value, elem_id=name, js_on_load=None)
