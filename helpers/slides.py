"""A lesson as a slide deck: one HTML file that needs no network. Started by `python course.py slides 02`.

    python -m helpers.slides NOTEBOOK …            write data/cache/slides/NAME.html, open it in the browser
        --no-browser                               only write it, and print where it is
        --output FILE                              write it there, and do not open it
        --port N                                   serve it on 127.0.0.1:N instead (containers, remote machines)

Takes a notebook as it is saved: cells and outputs in their order, sorted by their slide types (`slide`
and `subslide` begin a slide, `fragment` appears at the next key, `notes` go to the speaker's window,
`skip` stays out). Formulas become MathML, pictures are inlined with their alternative texts, widgets and
progress bars go. A quiz becomes one slide per question. Here the slides are still as long as their
text: deck.js, which travels inside the file, measures them in the browser and parts them into pages.
"""

import argparse
import ast
import base64
import contextlib
import hashlib
import html
import http.server
import re
import sys
import webbrowser
from functools import partial
from pathlib import Path

import nbformat
from latex2mathml.converter import convert as mathml
from nbconvert.filters import Highlight2HTML, ansi2html
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from helpers.datasets import CACHE, DATA
from helpers.figure_style import COLOURS
from helpers.quiz import load_quiz

ASSETS = Path(__file__).resolve().parent / "slides_assets"
DECKS = CACHE / "slides"
SHORT = 6  # lines of code that a room can take in beside the picture that they draw
PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
:root {{ {colours} }}
{css}
</style>
</head>
<body>
<main id="source">
{slides}
</main>
<script>{js}</script>
</body>
</html>
"""


class Renderer(IPythonRenderer):
    """Markdown to HTML: formulas as MathML, and no links to files that are not beside the deck."""

    def block_math(self, body):
        return mathml(body.strip(), display="block")

    def inline_math(self, body):
        return mathml(body.strip())

    def latex_environment(self, name, body):
        return mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", display="block")

    def image(self, text, url, title=None):
        """A picture of the course's files or of the cell's attachments; of others the alternative text is left."""
        file = (Path(self.path) / url).resolve()
        if file.is_relative_to(DATA.parent) and file.is_file():
            kind = {".svg": "svg+xml", ".jpg": "jpeg"}.get(file.suffix, file.suffix[1:])
            url = f"data:image/{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"
        elif not url.startswith(("attachment:", "data:")):
            return f'<span class="missing">Picture: {text}</span>'
        return super().image(text, url, title)

    def link(self, text, url, title=None):
        if re.match("https?://", url):
            return f'<a href="{html.escape(url)}">{text}</a>'
        return f'<span class="link">{text}</span>'


def markdown(cell, folder):
    """A Markdown cell's HTML, with the pictures of its folder inside."""
    attachments = cell.get("attachments", {})
    renderer = Renderer(escape=False, exclude_anchor_links=True, path=str(folder), attachments=attachments)
    return MarkdownWithMath(renderer).render(cell.source)


def output_html(output):
    """One output as HTML; empty if there is nothing to show without a running kernel."""
    if output.output_type == "stream":
        return f"<pre>{ansi2html(output.text.strip(chr(10)))}</pre>" if output.text.strip() else ""
    if output.output_type == "error":
        return f'<pre class="error">{html.escape(output.ename)}: {html.escape(output.evalue)}</pre>'
    data = output.get("data", {})
    plain = data.get("text/plain", "")
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            alt = output.metadata.get(kind, {}).get("alt") or plain
            inline = "".join(data[kind].split())
            return f'<img src="data:{kind};base64,{inline}" alt="{html.escape(alt)}">'
    if "image/svg+xml" in data:
        inline = base64.b64encode(data["image/svg+xml"].encode()).decode()
        return f'<img src="data:image/svg+xml;base64,{inline}" alt="{html.escape(plain)}">'
    if any("widget" in kind for kind in data) or "<progress" in data.get("text/html", ""):
        return ""
    if "text/html" in data:  # the deck has its own styles, and its policy lets no script of an output run
        return re.sub(r"(?s)<(style|script)\b.*?</\1>", "", data["text/html"])
    if "text/markdown" in data:
        return MarkdownWithMath(Renderer(escape=False, exclude_anchor_links=True)).render(data["text/markdown"])
    return f"<pre>{ansi2html(plain)}</pre>" if plain else ""


def for_the_screen(source):
    """Code as it is shown: one empty line where there are two, and no alternative text, which the picture has."""
    with contextlib.suppress(SyntaxError):  # magics
        calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
        texts = [
            k.value for call in calls if getattr(call.func, "id", "") == "show" for k in call.keywords if k.arg == "alt"
        ]
        for text in sorted(texts, key=lambda text: -text.lineno):  # from the end, so that places stay right
            source = source.replace(ast.get_source_segment(source, text), '"…"', 1)
    source = re.sub(r"show\(\s*(\w+),\s*alt=\"…\",?\s*\)", r'show(\1, alt="…")', source)
    return re.sub(r"\n{3,}", "\n\n", source).strip("\n")


def only_draws(cell):
    """Whether a code cell does nothing but draw: over SHORT lines that define nothing, end with show(…) and give a picture."""
    try:
        statements = ast.parse(cell.source).body
    except SyntaxError:  # magics
        return False
    pictures = [any(kind.startswith("image/") for kind in output.get("data", {})) for output in cell.outputs]
    defines = any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in statements)
    ends = bool(statements) and isinstance(getattr(statements[-1], "value", None), ast.Call)
    shows = ends and getattr(statements[-1].value.func, "id", "") == "show"
    return shows and not defines and bool(pictures) and all(pictures) and len(cell.source.splitlines()) > SHORT


def source_html(cell):
    """A code cell's source as HTML."""
    return Highlight2HTML(pygments_lexer="python")(for_the_screen(cell.source))


def code(cell):
    """A code cell's source and outputs; the source of a cell that only draws stands in the notes."""
    parts = []
    hidden = cell.metadata.get("jupyter", {}).get("source_hidden") or only_draws(cell)
    if cell.source.strip() and not hidden:
        parts.append(source_html(cell))
    if not cell.metadata.get("jupyter", {}).get("outputs_hidden"):
        parts += [f'<div class="output">{shown}</div>' for shown in map(output_html, cell.outputs) if shown]
    return "".join(parts)


def question_slide(number, question):
    """A question of a quiz as a slide: options, then at the next key the right ones, with the replies."""
    text = f"<h2>Question {number}</h2><div class='cell' data-cell='question {number}'><p>{question['question']}</p>"
    if question.get("code"):
        text += Highlight2HTML(pygments_lexer="python")(question["code"])
    options, replies = [], []
    for letter, answer in zip("ABCDEFGH", (a for a in question["answers"] if a.get("answer")), strict=False):
        right = answer.get("correct") is True
        options.append(f'<li class="{"right" if right else "wrong"}">{answer["answer"]}</li>')
        replies.append(f"<p><b>{'✔' if right else '✘'} {letter}.</b> {answer['feedback']}</p>")
    if options:
        text += f'<ol type="A" class="options">{"".join(options)}</ol>'
        right = "".join(reply for reply in replies if "<b>✔" in reply)
    else:  # a numeric question
        label = {True: "✔", False: "✘", None: "✘"}
        for answer in question["answers"]:
            value = answer.get("value", " to ".join(map(str, answer.get("range", []))) or "another number")
            replies.append(f"<p><b>{label[answer.get('correct')]} {value}:</b> {answer['feedback']}</p>")
        right = "".join(reply for reply in replies if "<b>✔" in reply)
    return (f'<section class="question">{text}</div><div class="cell answer" data-fragment '
            f'data-cell="answer {number}">{right}</div><aside class="notes">{"".join(replies)}</aside></section>')  # fmt: skip


def slides(notebook, folder):
    """The deck's <section>s, one per slide, as long as they come."""
    finished, cells, notes = [], [], []

    def finish():
        if cells or notes:
            aside = f'<aside class="notes">{"".join(notes)}</aside>' if notes else ""
            finished.append(f"<section>{''.join(cells)}{aside}</section>")
        cells.clear()
        notes.clear()

    for cell in notebook.cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type") or "-"
        if kind == "skip" or cell.cell_type == "raw":
            continue
        if kind == "notes":
            if cells:
                notes.append(markdown(cell, folder))
            elif finished:  # after a quiz, whose slides are finished already
                aside = f'<aside class="notes">{markdown(cell, folder)}</aside></section>'
                finished[-1] = finished[-1].removesuffix("</section>") + aside
            continue
        if kind in ("slide", "subslide"):
            finish()
        if quiz := re.search(r'^show_quiz\("(\w+)"\)', cell.source, re.M) if cell.cell_type == "code" else None:
            finish()
            finished += [question_slide(*numbered) for numbered in enumerate(load_quiz(quiz[1]), 1)]
            continue
        inside = markdown(cell, folder) if cell.cell_type == "markdown" else code(cell)
        if inside:
            fragment = " data-fragment" if kind == "fragment" and cells else ""
            cells.append(
                f'<div class="cell {cell.cell_type}" data-cell="{cell.get("id", "")}"{fragment}>{inside}</div>'
            )
            if cell.cell_type == "code" and only_draws(cell):
                notes.append(f"<p>The picture is drawn by:</p>{source_html(cell)}")
    finish()
    return finished


def deck(path):
    """The whole deck of a notebook file as HTML text. Raises ValueError if it has no slides, or is no notebook."""
    path = Path(path)
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, KeyError, UnicodeDecodeError):
        raise ValueError(f"{path.name} is not a notebook, or it is damaged") from None
    sections = slides(notebook, path.parent)
    if not sections:
        raise ValueError(f"{path.name} has no slides: give its cells slide types (in JupyterLab: View, Right Sidebar)")
    heading = re.search(r"^# (.+)$", notebook.cells[0].source if notebook.cells else "", re.M)
    js = (ASSETS / "deck.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(js.encode()).digest()).decode()
    return PAGE.format(
        # The browser itself refuses everything from outside, and every script but ours.
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
        title=html.escape(heading[1] if heading else path.stem), slides="\n".join(sections), js=js,
        css=(ASSETS / "deck.css").read_text(encoding="utf-8"),
        colours=" ".join(f"--{name}: {value};" for name, value in COLOURS.items()))  # fmt: skip


def write(path, output=None):
    """Write the deck of a notebook and return the file."""
    output = Path(output) if output else DECKS / f"{Path(path).stem}.html"
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(output.name + ".new")
    temporary.write_bytes(deck(path).encode("utf-8"))
    temporary.replace(output)
    return output


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve(folder, names, port):
    """Serve the decks on this machine until Ctrl-C."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), partial(Quiet, directory=str(folder))) as server:
        for name in names:
            print(f"http://127.0.0.1:{server.server_address[1]}/{name}", flush=True)
        print("To end it: Ctrl-C in this window.", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def main(arguments):
    parser = argparse.ArgumentParser(prog="python course.py slides", description="A lesson as a slide deck.")
    parser.add_argument("notebooks", nargs="+", metavar="LESSON")
    parser.add_argument("--no-browser", action="store_true", help="only write the file, and say where it is")
    parser.add_argument("--output", metavar="FILE", help="write the deck there, and do not open it")
    parser.add_argument("--port", type=int, metavar="N", help="serve it on 127.0.0.1:N (0: any free port)")
    chosen = parser.parse_args(arguments)
    if chosen.output and len(chosen.notebooks) > 1:
        parser.error("--output takes one deck: name one lesson")
    try:
        files = [write(path, chosen.output) for path in chosen.notebooks]
    except ValueError as error:
        print(error)
        return 1
    print("Keys: space or → goes on, ← back, S speaker's window with the notes, O overview, F full screen, ? all keys.")
    if chosen.port is not None:
        try:
            serve(files[0].parent.resolve(), [file.name for file in files], chosen.port)
        except OSError as error:
            print(
                f"Port {chosen.port} cannot be used ({error.strerror}): choose another one, or --port 0 for a free one."
            )
            return 1
        return 0
    for file in files:
        print(file.resolve())
        if not (chosen.no_browser or chosen.output) and not webbrowser.open(file.resolve().as_uri()):
            print("No browser opened: open the file yourself, or serve it (--port 8000).")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
