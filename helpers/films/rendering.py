"""The film finder's HTML: cards, lists and messages as text, made of one function, ``tag``, that escapes all it is given."""

import functools
import html
import re
from collections.abc import Sequence

from helpers.films.filtering import Filters
from helpers.films.finder import STEMS, Match
from helpers.films.texts import TEXTS, films, name

HUES = {  # of the stripe beside a card: decoration, the genres stand on the card as words
    "Drama": 215, "Comedy": 42, "Romance": 340, "Fantasy": 275, "Horror": 0, "Adventure": 150, "Family": 95, "Crime": 235,
    "Thriller": 255, "History": 28, "Animation": 185, "Science fiction": 200, "Mystery": 290, "Action": 15, "War": 70,
    "Musical": 320, "Documentary": 165, "Biography": 60, "Sport": 130, "Western": 20,
}  # fmt: skip
TEMPLATE_SIGNS = {ord(sign): f"&#{ord(sign)};" for sign in "{}$`\\"}  # Gradio's page knows templates: ${…} and {{…}}


class Html(str):
    """Text that is HTML already; every other text is escaped by ``tag``."""


LOGO = Html(  # a frame of film under a magnifying glass
    '<svg viewBox="0 0 48 48" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round">'
    '<rect x="4" y="8" width="32" height="28" rx="5"/><path d="M11 8v28M29 8v28M4 17h7M4 27h7M29 17h7"/>'
    '<circle cx="32" cy="30" r="9" fill="var(--paper)"/><path d="m39 37 6 6"/></svg>'
)


def escape(text: str) -> Html:
    """Text as text: the one place where anything that somebody typed, or that stands in the data, becomes HTML."""
    return Html(html.escape(str(text), quote=True).translate(TEMPLATE_SIGNS))


def tag(element: str, *children: str, **attributes: str | None) -> Html:
    """An HTML element: tag("p", "1 < 2", class_="note"). Children that are no ``Html`` and all attributes are escaped."""
    inside = "".join(child if isinstance(child, Html) else escape(child) for child in children)
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    written = "".join(f' {key}="{escape(value)}"' for key, value in given.items())
    return Html(f"<{element}{written}>{inside}</{element}>")


def fill(sentence: str, **parts: str | int) -> Html:
    """A sentence of TEXTS with its {parts} put in, escaped unless they are ``Html``."""
    pieces = re.split(r"\{(\w+)\}", sentence)
    texts = [parts[piece] if place % 2 else piece for place, piece in enumerate(pieces)]
    return Html("".join(text if isinstance(text, Html) else escape(text) for text in texts))


def typed(text: str, language: str | None = None) -> Html:
    """What a user typed (or what it became), isolated, so that right-to-left text does not turn the sentence around it."""
    return tag("bdi", text if len(text) <= 120 else text[:120].rstrip() + " …", dir="auto", lang=language)


def card(match: Match, language: str) -> Html:
    """One film as an article: titles in the interface's language ("en" or "es"), facts, plot with the matching sentence, why."""
    film, text = match.film, TEXTS[language]
    title = film["title_es" if language == "es" else "title"]
    # Titles in the film's own language: no lang attribute, since the data do not say which language a title is in.
    original = tag("p", f"{text['original']}: ", tag("cite", film["original_title"]), class_="original")
    facts = f"{film['year']} · {', '.join(film['director'])} · {name(film['country'], language)}"
    genres = [tag("li", name(genre, language)) for genre in film["genres"]]
    closeness = [_closeness(match.closeness, language)] if match.closeness else []
    return tag(
        "article",
        tag("header", tag("h3", title), *closeness),
        *([original] if film["original_title"] != title else []),
        tag("p", facts, class_="facts"),
        tag("ul", *genres, class_="genres", aria_label=text["genres"]),
        tag("p", _plot(match, language), class_="plot"),
        *([_why(match, language)] if match.closeness else []),
        class_=f"film {match.closeness}".rstrip(),
        style=f"--hue: {HUES.get(film['genres'][0], 215)}",
    )


def _closeness(level: str, language: str) -> Html:
    dots = Html("●●●" if level in ("named", "close") else "●●○" if level == "related" else "●○○")
    return tag("span", tag("span", dots, aria_hidden="true"), " ", TEXTS[language][level], class_=f"closeness {level}")


def _plot(match: Match, language: str) -> Html:
    """The plot with its nearest sentence marked, and the words that it shares with the query in bold."""
    plot, sentence = match.film[f"plot_{language}"], match.sentence.get(language, "")
    if match.closeness == "named":  # found by its name, whatever the plot says
        return escape(plot)
    before, found, after = plot.partition(sentence) if sentence else (plot, "", "")
    wanted = {stem for word in match.shared for stem in STEMS[language](word)} if match.shared_in == language else set()
    parts = [_bold(part, language, wanted) for part in (before, found, after)]
    return Html(parts[0] + (tag("mark", parts[1]) if found else "") + parts[2])


def _bold(text: str, language: str, wanted: set[str]) -> Html:
    parts, at = [], 0
    for word in re.finditer(r"\w+", text) if wanted else ():
        if wanted & _stems(language, word[0]):
            parts += [escape(text[at : word.start()]), tag("b", word[0])]
            at = word.end()
    return Html("".join([*parts, escape(text[at:])]))


@functools.lru_cache(20_000)
def _stems(language: str, word: str) -> frozenset[str]:
    return frozenset(STEMS[language](word))


def _why(match: Match, language: str) -> Html:
    text = TEXTS[language]
    parts = [escape(text[f"why_{match.closeness}"])]
    if match.shared and match.closeness != "named":
        other = "" if match.shared_in == language else "_other"
        parts.append(fill(text["why_shared" + other], words=tag("b", ", ".join(match.shared), lang=match.shared_in)))
    return tag("p", tag("span", f"{text['why']}: ", class_="label"), Html(" ".join(parts)), class_="why")


def cards(matches: Sequence[Match], language: str) -> Html:
    """A list of cards under a heading for screen readers."""
    heading = tag("h2", TEXTS[language]["results"], class_="unseen")
    items = [tag("li", card(match, language)) for match in matches]
    return tag("section", heading, tag("ol", *items, class_="films"), lang=language)


def status(lines: Sequence[str], language: str) -> Html:
    """What was found, in a few lines; the first one is the headline. It is read out by screen readers when it changes."""
    rest = [tag("p", line) for line in lines[1:] if line]
    return tag("div", tag("p", lines[0], class_="headline"), *rest, lang=language, class_="status")


def message(title: str, lines: Sequence[str], language: str, kind: str = "empty") -> Html:
    """A card without a film: nothing found, or something broken."""
    paragraphs = [tag("p", line) for line in lines]
    return tag("section", tag("h2", title), *paragraphs, class_=f"message {kind}", lang=language)


def nothing(helpful: dict[str, int], language: str) -> Html:
    """No film passes: which filter to loosen ({filter: films without it})."""
    text = TEXTS[language]
    lines = [
        fill(text["loosen"], what=tag("b", text[f"what_{what}"]), shown=tag("b", films(n, language)))
        for what, n in helpful.items()
    ]
    return message(text["loosen_title"], lines or [text["loosen_all"]], language)


def years_turned(filters: Filters, language: str) -> str:
    """A word about a range of years that stood the wrong way round, or nothing."""
    right = filters.in_order()
    return "" if right == filters else fill(TEXTS[language]["turned"], first=right.first, last=right.last)


def hero(language: str) -> Html:
    """The page's heading."""
    text = TEXTS[language]
    words = tag("div", tag("h1", text["title"]), tag("p", text["tagline"]))
    return tag("div", LOGO, words, class_="brand", lang=language)


def small(text: str, language: str) -> Html:
    """A few words before something."""
    return tag("p", text, lang=language)


def foot(language: str) -> Html:
    """How to read the page, folded, and what it is."""
    text = TEXTS[language]
    legend = tag("details", tag("summary", text["legend"]), tag("p", text["legend_text"]))
    return tag("footer", legend, tag("p", text["about"]), lang=language)
