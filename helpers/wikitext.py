"""Wiki markup in, the paragraphs that a reader would see out.

mwparserfromhell builds the syntax tree; this module decides what of it is prose. Three rules:

* what is no prose (references, tables, pictures, maintenance notes) vanishes;
* a template that prints words is printed: ``{{convert|5|km}}`` becomes ``5 km``;
* whatever cannot be printed (a display formula, a pronunciation, an unknown template) leaves a HOLE, and the
  parenthesis or the sentence around a hole is dropped whole, so that no "temperature ( )" stays behind.
"""

import html
import re
import unicodedata
from collections.abc import Iterator

import mwparserfromhell
from mwparserfromhell import nodes

HOLE = "\ufffc"  # Unicode's "object replacement character": a place where something was

SKIPPED_SECTIONS = {
    "see also", "references", "external links", "further reading", "notes", "bibliography", "sources", "citations",
    "footnotes", "notes and references", "references and notes", "works cited", "literature", "general references",
    "references and further reading", "notes and citations", "primary sources", "secondary sources", "gallery",
    "filmography", "discography", "editions", "translations", "selected bibliography", "historiography and memory",
}  # fmt: skip

# Inline templates that print nothing: citations, requests to editors, anchors, layout.
SILENT = re.compile(
    r"(cite|citation|vcite|wikicite|harv|sfn|rp$|r$|refn|ref|efn|#tag:ref|full|page needed|cn$|fact|dead link|clarify|when|who|whom|"
    r"which|where|by whom|according to whom|vague|dubious|weasel|update|better source|failed verif|unreliable|verify|original|"
    r"qualify|relevance|anchor|clear|-\"|multiple image|double image|wide image|external media|css image|quote box|redirect|main|see|"
    r"also$|further|details|about|for$|coord|wayback|webarchive|issn|isbn|oclc|youtube|iucn|icon|\w\w icon|flagicon|flagdeco|"
    r"flag icon|div|col|toc|bar|chart|legend|portal|commons|wiki|sister|dmoz|pp-|use |z148|good|featured|infobox|spoken|"
    r"historical populations|sic$|bibleref|verify|inflation-fn|prone|expand|refimprove|unreferenced|multiple issues|lsj|"
    r"short description|campaignbox|weather|clade|hidden|sep entry|tooltip|stack|nihongo2|listen|pull quote|spaceflight|authority)",
    re.I,
)
# Inline templates that print one of their arguments: name -> which (counted from 1; negative: from the end).
PRINTED = {
    "lang": 2, "transl": -1, "angbr": 1, "nowrap": 1, "small": 1, "smaller": 1, "big": 1, "sc": 1, "vr": 1, "vanchor": 1,
    "rtl-lang": 2, "script/arabic": 1, "ipaslink": 1, "quote": 1, "quotation": 1, "bquote": 1, "cquote": 1, "blockquote": 1,
    "us$": 1, "formatnum": 1, "nobr": 1, "nobold": 1, "resize": 2, "as written": 1, "flag": 1, "flagcountry": 1, "ill": 2,
    "oldstyledate": 1, "abbr": 1, "sup": 1, "sub": 1, "linktext": 1, "color": 2, "nts": 1, "pre2": 2, "dts": 1, "keypress": 1,
    "big ": 1, "railgauge": 1, "format price": 1, "epc article": 1, "char": 1, "mono": 1, "em": 1, "strong": 1, "uss": 1,
    "hms": 1, "redr": 1, "script": 2, "midsize": 1, "ordered list": 1,
}  # fmt: skip
LITERAL = {
    "'s": "'s", "'": "'", "' \"": "'\"", "\" '": "\"'", "nbsp": " ", "spaces": " ", "snd": " – ", "spaced ndash": " – ",
    "ndash": "–", "mdash": "—", "mdashb": " — ", "thinsp": " ", "dot": " · ", "·": " · ", "pipe": "|", "!": "|", "eqm": "", "!-": "",
    "'\"": "'\"", "en dash": "–", "bull": " • ", "currentyear": "2016", "h2o": "H2O", "=": "=", "sp": " ", "shy": "",
    "music": HOLE,
}  # fmt: skip
BEFORE = {"uss": "USS ", "hms": "HMS ", "us$": "US$", "epc article": "Article ", "epc rule": "Rule "}
UNITS = {
    "sqmi": "square miles", "km2": "square kilometres", "m2": "square metres", "mi": "miles", "nmi": "nautical miles",
    "ft": "feet", "in": "inches", "lb": "pounds", "C": "°C", "F": "°F", "C-change": "°C", "acre": "acres", "m": "metres",
    "e6acre": "million acres", "oilbbl": "barrels of oil", "oilbbl/d": "barrels of oil per day", "cm": "centimetres",
    "koilbbl/d": "thousand barrels of oil per day", "Moilbbl": "million barrels of oil", "mm": "millimetres",
    "Moilbbl/d": "million barrels of oil per day", "Goilbbl": "billion barrels of oil", "Tcuft": "trillion cubic feet",
    "ft3": "cubic feet", "m3": "cubic metres", "e6carat": "million carats", "USgal": "US gallons", "MUSgal": "million US gallons",
    "PD/sqmi": "inhabitants per square mile", "ha": "hectares", "LT": "long tons", "MT": "tonnes", "km": "kilometres",
    "ft/s": "feet per second", "AU": "astronomical units", "kg": "kilograms", "g": "grams", "mph": "miles per hour",
}  # fmt: skip
RANGES = {
    "to": " to ",
    "-": "–",
    "–": "–",
    "and": " and ",
    "by": " by ",
    "x": " × ",
    "or": " or ",
    "and(-)": " and ",
    "to(-)": " to ",
}
SUPERSCRIPT = str.maketrans("0123456789+-−n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻ⁿ")
LATEX = {
    r"\alpha": "α", r"\beta": "β", r"\gamma": "γ", r"\delta": "δ", r"\epsilon": "ε", r"\theta": "θ", r"\lambda": "λ", r"\mu": "μ",
    r"\pi": "π", r"\sigma": "σ", r"\phi": "φ", r"\omega": "ω", r"\Omega": "Ω", r"\Delta": "Δ", r"\Sigma": "Σ", r"\Phi": "Φ",
    r"\times": "×", r"\cdot": "·", r"\leq": "≤", r"\geq": "≥", r"\le": "≤", r"\ge": "≥", r"\neq": "≠", r"\ne": "≠", r"\to": "→",
    r"\rightarrow": "→", r"\approx": "≈", r"\pm": "±", r"\infty": "∞", r"\ldots": "…", r"\dots": "…", r"\circ": "°", r"\%": "%",
    r"\,": " ", r"\;": " ", r"\ ": " ", r"\!": "",
}  # fmt: skip


def paragraphs(wikitext: str) -> Iterator[tuple[str, str]]:
    """Yield (section title, paragraph) pairs of one page, in order; the lead's section is ``""``.

    >>> list(paragraphs("'''Tea''' is a [[drink]].<ref>x</ref>\\n== Cups ==\\nIt is {{convert|80|C|F}} hot."))
    [('', 'Tea is a drink.'), ('Cups', 'It is 80 °C hot.')]
    """
    section, skipped_below = "", None
    held: list[tuple[str, str]] = []
    for block in _blocks(wikitext):
        if isinstance(block, tuple):
            level, title = block
            if skipped_below is None or level <= skipped_below:
                skipped_below = level if title.lower() in SKIPPED_SECTIONS else None
                section = title
        elif skipped_below is None:
            formula = not re.search(r"\w", block.replace(HOLE, ""))
            if held and (
                formula or _goes_on(held[-1][1], block)
            ):  # a display formula is part of the sentence around it
                held[-1] = (held[-1][0], f"{held[-1][1]} {block}")
            else:
                held.append((section, block))
    for section, text in held:
        if text := fill_holes(text):
            yield section, text


def _goes_on(before: str, block: str) -> bool:
    """True for "where x is …" after a formula: the sentence goes on, so it stands or falls with the formula."""
    return HOLE in before and block[:1].islower() and not before.rstrip().endswith((".", "!", "?", '"'))


def _blocks(wikitext: str) -> Iterator[str | tuple[int, str]]:
    """Paragraph texts, with holes, and headings as (level, title)."""
    wikitext = re.sub(r"\[\[(?:File|Image):[^\[\]]*$", "", wikitext, flags=re.M)  # a picture that was never closed
    text = _render(mwparserfromhell.parse(f"\n{wikitext}\n"))
    text = re.sub(
        r"<ref\b[^>]*>.*?(?:</ref>|\n|$)|</?(?:ref|blockquote|div|center|small|br|span|p)\b[^>]*>", " ", text
    )  # never closed
    text = unicodedata.normalize("NFC", html.unescape(text))
    for chunk in re.split(r"\n\s*\n|\n(?=\x01)", text):
        chunk = re.sub(r"\s+", " ", re.sub(r"'{2,}|__[A-Z]+__", "", chunk)).strip()
        heading = re.fullmatch(r"\x01(\d)(.*)", chunk)
        if heading:
            yield int(heading[1]), heading[2].replace(HOLE, "").strip()
        elif chunk and not re.match(r"[|!]|\{\||\}\}", chunk):  # what is left of a broken table is no prose
            yield re.sub(r"\[\[[^\]]*|\]\]|\{\{[^}]*|\}\}|\{\||\|\}", HOLE, chunk)


def _render(code) -> str:
    children = code.nodes
    return "".join(_node(node, children, place) for place, node in enumerate(children))


def _node(node, siblings, place) -> str:
    if isinstance(node, nodes.Text):
        return str(node)
    if isinstance(node, nodes.Heading):
        return f"\n\n\x01{node.level}{_render(node.title).strip()}\n\n"
    if isinstance(node, nodes.HTMLEntity):
        return node.normalize()
    if isinstance(node, nodes.Wikilink):
        return _wikilink(node)
    if isinstance(node, nodes.ExternalLink):
        return _render(node.title) if node.title else ("" if node.brackets else HOLE)
    if isinstance(node, nodes.Tag):
        return _tag(node)
    if isinstance(node, nodes.Template):
        return _template(node, siblings, place)
    return ""  # comments and template arguments


def _wikilink(link) -> str:
    target = str(link.title).strip()
    if re.match(r"(File|Image|Category|Media|[a-z]{2,3}(-[a-z]+)?):", target, re.I):
        return ""
    return _render(link.text) if link.text is not None else target.lstrip(":").replace("_", " ")


def _tag(tag) -> str:
    name = str(tag.tag).strip().lower()
    inside = _render(tag.contents) if tag.contents is not None and name not in ("table", "ref") else ""
    if name in ("li", "dt", "dd", "p", "div", "blockquote", "center", "hr", "poem"):
        return "\n\n" + inside + ("\n\n" if inside else "")
    if name in ("ref", "references", "table", "gallery", "timeline", "imagemap", "score", "style"):
        return ""
    if name in ("syntaxhighlight", "source", "pre", "chem", "hiero"):
        return HOLE
    if name == "math":
        return _formula(str(tag.contents))
    if name == "br":
        return " "
    if name == "sup" and re.fullmatch(r"[0-9+\-−n]+", inside):
        return inside.translate(SUPERSCRIPT)
    return inside


def _formula(latex: str) -> str:
    """A formula of plain symbols as text; a HOLE for whatever needs two dimensions."""
    for name in sorted(LATEX, key=len, reverse=True):
        latex = latex.replace(name, LATEX[name])
    latex = re.sub(r"\\(?:mathrm|mathbf|text|mathit|rm|boldsymbol)\s*\{([^{}]*)\}", r"\1", latex)
    latex = re.sub(r"\^\{?([0-9+\-n]+)\}?", lambda power: power[1].translate(SUPERSCRIPT), latex)
    latex = re.sub(r"_\{?(\w+)\}?", r"\1", latex)
    return HOLE if re.search(r"[\\{}^_&]", latex) or len(latex) > 60 else latex.strip()


def _template(template, siblings, place) -> str:
    name = str(template.name).strip().replace("_", " ").lower()
    values = [_render(p.value).strip() for p in template.params if not p.showkey]
    if name == "convert" or name == "pop density":
        return _measure(values) if name == "convert" else HOLE
    if name in LITERAL:
        return LITERAL[name]
    if name in ("nihongo", "chem", "frac", "sfrac", "val", "e", "as of", "inflation", "age", "hlist"):
        return _special(name, values, template)
    if name.startswith("formatnum:"):
        number = name.split(":")[1].strip()
        return f"{int(number):,}" if number.isdigit() else HOLE
    if name in PRINTED or name.startswith("lang-"):
        which = PRINTED.get(name, 1)
        text = values[which - 1 if which > 0 else which] if len(values) >= abs(which) else HOLE
        block = "\n\n" if name in ("quote", "quotation", "bquote", "cquote", "blockquote") else ""
        return block + BEFORE.get(name, "") + text + block
    if SILENT.match(name) or _stands_alone(siblings, place):
        return ""
    return HOLE


def _stands_alone(siblings, place) -> bool:
    """True where a template has its line for itself: boxes and navigation, never part of a sentence."""
    before = next((str(node) for node in reversed(siblings[:place]) if not isinstance(node, nodes.Comment)), "")
    after = next((str(node) for node in siblings[place + 1 :] if not isinstance(node, nodes.Comment)), "")
    starts = before.rstrip(" ").endswith("\n") or (place > 0 and isinstance(siblings[place - 1], nodes.Template))
    return starts and after.lstrip(" ").startswith(("\n", "{{"))


def _number(text: str) -> str:
    return f"{int(text):,}" if re.fullmatch(r"\d{5,}", text) else text


def _measure(values: list[str]) -> str:
    """``{{convert|3|to|5|km|mi}}`` as "3 to 5 kilometres": the first unit only."""
    if not values:
        return HOLE
    text, rest = _number(values[0]), values[1:]
    while len(rest) >= 2 and rest[0] in RANGES:
        text, rest = text + RANGES[rest[0]] + _number(rest[1]), rest[2:]
    unit = rest[0] if rest else ""
    unit = UNITS.get(unit, unit)
    return f"{text} {unit}".strip()


def _special(name: str, values: list[str], template) -> str:
    if name == "nihongo":  # {{nihongo|English|kanji|romaji}}
        english, kanji, romaji = (values + ["", "", ""])[:3]
        inside = ", ".join(part for part in (kanji, romaji) if part)
        return f"{english} ({inside})" if english and inside else english or romaji or HOLE
    if name == "chem":
        return "".join(values) or HOLE
    if name in ("frac", "sfrac") and values:
        return {1: f"1/{values[0]}", 2: "/".join(values)}.get(len(values), f"{values[0]} {'/'.join(values[1:])}")
    if name in ("val", "e") and values:
        power = values[0] if name == "e" else str(template.get("e").value).strip() if template.has("e") else ""
        base = values[0] if name == "val" else ""
        unit = str(template.get("u").value).strip() if name == "val" and template.has("u") else ""
        scale = f" × 10{power.translate(SUPERSCRIPT)}" if power else ""
        return f"{base}{scale} {unit}".strip() if base else scale
    if name == "as of" and values:
        start = "as of" if template.has("lc") or template.has("lc", ignore_empty=True) else "As of"
        alternative = str(template.get("alt").value).strip() if template.has("alt") else ""
        return alternative or f"{start} {' '.join(_month(value, place) for place, value in enumerate(values))}"
    return HOLE  # inflation, age and the like are computed by the wiki


def _month(value: str, place: int) -> str:
    months = "January February March April May June July August September October November December".split()
    return months[int(value) - 1] if place == 1 and value.isdigit() and 1 <= int(value) <= 12 else value


# Abbreviations that end in a full stop without ending a sentence.
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|Gen|Col|Capt|Lt|Sgt|Gov|Sen|Rep|Hon|Rev|vs|etc|cf|ca|c|fl|r|b|d|ed|eds|vol|vols|"
    r"pp|p|no|No|Nos|fig|Fig|approx|esp|al|viz|lit|trans|Op|op|Vol|Pt|Mt|Ft|Bros|Inc|Co|Corp|Ltd|"
    r"Jan|Feb|Mar|Apr|Aug|Sept|Sep|Oct|Nov|Dec|i\.e|e\.g|U\.S|U\.K|a\.k\.a|B\.C|A\.D|Ph\.D)|\b[A-Z])\.$"
)


def split_sentences(text: str) -> list[str]:
    """Split a paragraph at sentence ends; ``"".join`` of the parts with one space gives the paragraph back.

    >>> split_sentences("He met Dr. A. Smith in the U.S. in 1900. It rained!")
    ['He met Dr. A. Smith in the U.S. in 1900.', 'It rained!']
    """
    sentences, start = [], 0
    for end in re.finditer(r"[.!?…][\"'”’)\]]*\s+(?=[\"'“‘(\[]*[\w" + HOLE + "])", text):
        head = text[start : end.end()].rstrip()
        following = text[end.end() :].lstrip("\"'“‘([")[:1]
        if _ABBREVIATION.search(head) or following.islower():
            continue
        sentences.append(head)
        start = end.end()
    return [*sentences, text[start:].strip()] if text[start:].strip() else sentences


def fill_holes(text: str) -> str:
    """Drop what stands around a HOLE: the part of a parenthesis, else the whole sentence; then tidy the punctuation.

    >>> fill_holes("Tea (\\ufffc; Chinese 茶) is hot. It boils at \\ufffc.")
    'Tea (Chinese 茶) is hot.'
    """
    for _ in range(3):  # parentheses nest
        text = re.sub(r"\(([^()]*)\)", _parenthesis, text)
    text = re.sub(r"\[\s*\]|\(\s*\)|\x00", "", text)
    text = text.replace("\x02", "(").replace("\x03", ")")
    if HOLE in text:
        text = " ".join(sentence for sentence in split_sentences(text) if HOLE not in sentence)
    text = re.sub(r"\s+([,.;:!?)\]])", r"\1", re.sub(r"\s+", " ", text))
    text = re.sub(r"([(\[])\s+", r"\1", text)
    text = re.sub(r",\s*([,.;])", r"\1", text)
    return text.strip()


def _parenthesis(match) -> str:
    inside = match[1]
    kept = [part.strip() for part in re.split(r"[;,]", inside) if re.search(r"\w", part)] if HOLE in inside else None
    if kept is None:
        inside = inside.strip(" ,;") if re.search(r"[^\s,;:.]", inside) else ""
        return f"\x02{inside}\x03" if inside else "\x00"
    kept = [
        part for part in kept if HOLE not in part and not re.fullmatch(r"(?:pronounced|or|and|also|from|\W)*", part)
    ]
    return f"\x02{', '.join(kept)}\x03" if kept else "\x00"
