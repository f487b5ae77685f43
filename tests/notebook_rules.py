"""What every notebook of the course must be, as small rules that say what to do.

A rule is a function of a Lesson that yields complaints. Here are those about outputs and the file;
lesson_rules.py holds those about a lesson's parts, and test_notebooks.py applies them all.
"""

import ast
import re
from functools import cached_property
from pathlib import Path

import nbformat

CODE_LINES, EXERCISE_LINES = 25, 40
SLIDE_TYPES = {"slide", "subslide", "fragment", "notes", "skip", "-"}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


class Lesson:
    """A notebook with what the rules ask for again and again. Cells are counted from 1, as they stand on the page."""

    def __init__(self, path, notebook=None):
        self.path = Path(path)
        # not nbformat.read(): it would silently mend what the rules look for (missing cell ids, say)
        self.notebook = notebook or nbformat.reader.reads(self.path.read_text(encoding="utf-8"))
        self.cells = self.notebook.cells

    @cached_property
    def code(self):
        return [(number, cell) for number, cell in enumerate(self.cells, 1) if cell.cell_type == "code"]

    @cached_property
    def prose(self):
        return [(number, cell) for number, cell in enumerate(self.cells, 1) if cell.cell_type == "markdown"]

    @property
    def number(self):
        """02 for 02_one_hot.ipynb, or None."""
        found = re.match(r"(\d\d)_", self.path.name)
        return found and found[1]

    def sibling(self, number):
        """The notebook of another lesson, or None if it is still to come."""
        return next(iter(sorted(self.path.parent.parent.glob(f"*/{number:02d}_*.ipynb"))), None)


def tags(cell):
    return set(cell.metadata.get("tags", []))


def printed(cell):
    """All text of a cell's outputs, pictures left out."""
    parts = []
    for output in cell.outputs:
        parts.append(output.get("text", ""))
        parts += [str(value) for kind, value in output.get("data", {}).items() if not kind.startswith("image/")]
    return "\n".join(parts)


def tree(cell):
    """The syntax tree of a code cell without its magics."""
    return ast.parse(re.sub(r"^[%!].*$", "", cell.source, flags=re.M))


def is_exercise(cell):
    return bool(tags(cell) & {"solution", "wrong"}) or "@exercise(" in cell.source or "your turn" in cell.source


# ---- the outputs are those of one run from top to bottom -------------------------------------------------------


def execution_counts_are_one_to_n(lesson):
    counts = [cell.execution_count for _, cell in lesson.code]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}, not 1..{len(counts)}: run `python course.py refresh` and commit outputs"


def no_output_is_an_error_or_stderr(lesson):
    for number, cell in lesson.code:
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"cell {number} raises {output.ename}: catch it, and print what the lesson wants to show"
            elif output.get("name") == "stderr":
                yield f"cell {number} writes to stderr ({output.text[:60]!r}): mend the cause"


def no_output_tells_of_the_machine(lesson):
    unwanted = r"/home/|/Users/|[A-Z]:\\+Users|/tmp/|/root/|\bsk-\w[\w-]{7,}|\bpcsk_\w+|\w*Warning\b|Traceback \(most"
    for number, cell in lesson.code:
        for found in re.finditer(unwanted, printed(cell)):
            yield f"the output of cell {number} holds {found[0]!r}: no paths, keys or warnings in outputs"


def pictures_have_words(lesson):
    for number, cell in lesson.code:
        for output in cell.outputs:
            for kind in [kind for kind in output.get("data", {}) if kind.startswith("image/")]:
                alt = output.metadata.get(kind, {}).get("alt", "")
                if len(alt) < 20 or output.data.get("text/plain") != alt:
                    yield f"the picture of cell {number} has no alternative text: use show(figure, alt=…)"


def few_outputs_are_ignored(lesson):
    ignored = [number for number, cell in lesson.code if "nbval-ignore-output" in tags(cell)]
    if len(ignored) * 5 > len(lesson.code):
        yield f"cells {ignored} of {len(lesson.code)} are not compared (nbval-ignore-output): at most one in five"


def no_cell_escapes_the_tests(lesson):
    for number, cell in lesson.code:
        if forbidden := tags(cell) & {"nbval-skip", "raises-exception", "nbval-raises-exception"}:
            yield f"cell {number} is tagged {', '.join(sorted(forbidden))}: every cell runs, and none raises"
        if re.search(r"^\s*#\s*(NBVAL_|PYTEST_VALIDATE)", cell.source, re.M):
            yield f"cell {number} has an nbval comment: use the tag nbval-ignore-output"


# ---- the file is clean ---------------------------------------------------------------------------------------------


def cells_have_ids(lesson):
    ids = [cell.get("id") for cell in lesson.cells]
    for number, cell_id in enumerate(ids, 1):
        if not cell_id or ids.count(cell_id) > 1:
            yield f"cell {number} has {'no id' if not cell_id else f'the id {cell_id!r} of another cell'}"


def metadata_is_clean(lesson):
    metadata = lesson.notebook.metadata
    if "widgets" in metadata:
        yield "the notebook holds widget state: run `python course.py refresh`"
    if "version" in metadata.get("language_info", {}):
        yield "the notebook names a Python version (language_info.version): run `python course.py refresh`"
    for number, cell in enumerate(lesson.cells, 1):
        if "execution" in cell.metadata:
            yield f"cell {number} holds times of execution in its metadata: run `python course.py refresh`"


def cells_have_a_slide_type(lesson):
    for number, cell in enumerate(lesson.cells, 1):
        kind = cell.metadata.get("slideshow", {}).get("slide_type")
        if kind not in SLIDE_TYPES:
            yield f"cell {number} has slide type {kind!r}: choose one of {', '.join(sorted(SLIDE_TYPES))}"


def links_resolve(lesson):
    for number, cell in lesson.prose:
        for target in LINK.findall(cell.source):
            if re.match(r"https?:|mailto:|#", target):
                continue
            if not (lesson.path.parent / target.partition("#")[0]).exists():
                yield f"cell {number} links to {target}, which does not exist"


def code_is_self_contained(lesson):
    unwanted = {
        r"warnings\.(filterwarnings|simplefilter)": "mend the cause of a warning",
        r"^\s*[%!]?\s*(!|%)?(pip3?|conda|uv) +(pip +)?install": "installs belong to requirements.txt",
        r"[\"'](/(home|Users|tmp|root|usr|etc|opt|var|mnt)/|[A-Za-z]:\\|~/)": "paths come from the helpers",
    }
    for number, cell in lesson.code:
        for pattern, advice in unwanted.items():
            if found := re.search(pattern, cell.source, re.M):
                yield f"cell {number} holds {found[0].strip()!r}: {advice}"


def cells_are_short(lesson):
    for number, cell in lesson.code:
        lines, limit = len(cell.source.splitlines()), EXERCISE_LINES if is_exercise(cell) else CODE_LINES
        if lines > limit:
            yield f"cell {number} has {lines} lines of code: split it, {limit} are the limit"


FILE_RULES = [
    execution_counts_are_one_to_n, no_output_is_an_error_or_stderr, no_cell_escapes_the_tests, cells_have_ids,
    metadata_is_clean, cells_have_a_slide_type, links_resolve, code_is_self_contained, cells_are_short,
]  # fmt: skip
