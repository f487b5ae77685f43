"""Every deck in a browser: does each page fit, does anything ask the network, how large is the code?

    python benchmarks/slides.py             all lessons and quizzes
    python benchmarks/slides.py 04 quiz_1   some of them

Makes the decks in a temporary folder, opens them as files in headless Chromium at 1280 × 720 and 1024 × 768,
visits every page with all its steps shown, and prints a table. Exit code 1 if something is wrong. Sizes are
pixels on a page of 1280 × 720.
"""

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browser import MISSING, find_browser, open_browser  # noqa: E402

import course  # noqa: E402
from helpers import slides  # noqa: E402

SIZES = [(1280, 720), (1024, 768)]
SMALLEST = 14
AUDIT = """(index) => {
  deck.go(index, Infinity);
  const page = deck.pages[index], problems = [], scale = page.getBoundingClientRect().width / 1280;
  const screen = {left: 0, top: 0, right: innerWidth, bottom: innerHeight};
  const inside = (element, box, what) => {
    const own = element.getBoundingClientRect();
    if (own.width === 0 && own.height === 0) return;
    const beyond = Math.max(box.left - own.left, box.top - own.top, own.right - box.right, own.bottom - box.bottom);
    if (beyond > 1) problems.push(`${element.tagName.toLowerCase()} ${Math.round(beyond)} px outside of the ${what}: ` +
                                  element.textContent.trim().slice(0, 40));
  };
  inside(page, screen, "window");
  const area = page.querySelector(".area"), heading = page.querySelector(".heading");
  area.querySelectorAll("*").forEach(element => inside(element, area.getBoundingClientRect(), "page"));
  heading.querySelectorAll("*").forEach(element => inside(element, page.getBoundingClientRect(), "page"));
  for (const element of [page, area, heading, ...area.querySelectorAll("*")]) {
    const clips = [page, area, heading].includes(element) || getComputedStyle(element).overflowX !== "visible"
    if (clips && (element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1)) {
      problems.push(`${element.tagName.toLowerCase()} is cut off: ` + element.textContent.trim().slice(0, 40));
    }
  }
  const texts = document.createTreeWalker(area, NodeFilter.SHOW_TEXT), range = document.createRange();
  while (texts.nextNode()) {  // letters may stick out of their element
    range.selectNodeContents(texts.currentNode);
    const own = range.getBoundingClientRect(), box = area.getBoundingClientRect();
    if (own.width && (own.right > box.right + 2 || own.left < box.left - 2 || own.bottom > box.bottom + 6)) {
      problems.push("letters beyond the page: " + texts.currentNode.textContent.trim().slice(0, 40));
    }
  }
  const size = element => parseFloat(getComputedStyle(element).fontSize) * (element.currentCSSZoom || 1);
  const sizes = selector => [...area.querySelectorAll(selector)].map(size);
  const letters = node => node.textContent.replace(/\\s/g, "").length;
  const again = [...page.querySelectorAll("thead.again, .heading > .again")].reduce((sum, node) => sum + letters(node), 0);
  return {
    problems, title: page.getAttribute("aria-label"), code: sizes(".highlight pre"), output: sizes(".output pre"),
    table: sizes("td"), prose: sizes("p, li, summary"), scaled: [...area.querySelectorAll("[data-zoomed]")].length,
    pictures: [...area.querySelectorAll("img")].map(image =>
      ({alt: image.alt, scale: image.getBoundingClientRect().width / scale / image.naturalWidth})),
    letters: letters(area) + letters(heading) - again, hidden: [...area.querySelectorAll("*")].filter(element =>
      getComputedStyle(element).visibility === "hidden").length,
  };
}"""


def watch(page, problems):
    """Note whatever the page asks for outside of its file, and what the browser complains about."""

    def requested(request):
        if not request.url.startswith(("file:", "data:")):
            problems.append(f"asks for {request.url}")

    def said(message):
        if message.type in ("error", "warning"):
            problems.append(f"console: {message.text[:200]}")

    page.on("request", requested)
    page.on("requestfailed", lambda request: problems.append(f"failed: {request.url[:80]}"))
    page.on("console", said)
    page.on("pageerror", lambda error: problems.append(f"script: {error}"))


def check(browser, file, sizes=SIZES):
    """What a deck looks like in a browser: a dict of measurements, with the list of its "problems"."""
    problems, audits = [], []
    for width, height in sizes:
        page = browser.new_page(viewport={"width": width, "height": height})
        watch(page, problems)
        page.goto(Path(file).resolve().as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        audits = [page.evaluate(AUDIT, index) for index in range(page.evaluate("deck.pages.length"))]
        problems += [f"{width} × {height}, page {audit['title']}: {problem}" for audit in audits
                     for problem in audit["problems"]]  # fmt: skip
        content = page.evaluate("deck.content")
        if (width, height) == sizes[0]:
            problems += check_speaker(page)
        page.close()
    pictures = [picture for audit in audits for picture in audit["pictures"]]
    shown = {"letters": sum(audit["letters"] for audit in audits), "pictures": len(pictures)}
    if shown != content:
        problems.append(f"content lost or doubled: {content} in the notebook, {shown} on the pages")
    if any(audit["hidden"] for audit in audits):
        problems.append("a step that no key shows")
    problems += [f"a picture without alternative text: {p['alt']!r}" for p in pictures if len(p["alt"]) < 20]
    found = {"pages": len(audits), "pictures": len(pictures), "scaled": sum(audit["scaled"] for audit in audits)}
    for name in ("prose", "code", "output", "table"):
        found[name] = min((size for audit in audits for size in audit[name]), default=None)
        if found[name] is not None and found[name] < SMALLEST:
            problems.append(f"{name} in letters of {found[name]:.1f} px")
    found["picture"] = min((picture["scale"] for picture in pictures), default=None)
    return found | {"problems": problems}


def check_speaker(page):
    """Problems of the speaker's window, opened with the S key on the first page."""
    page.evaluate("deck.go(0)")
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    speaker = opened.value
    notes = speaker.evaluate("document.getElementById('notes').innerText.trim()")
    speaker.keyboard.press("End")
    moved = page.evaluate("deck.at === deck.pages.length - 1")
    still = speaker.evaluate("document.getElementById('notes').innerText.trim()")
    speaker.close()
    problems = [] if len(notes) > 80 else ["the speaker's window shows no notes"]
    problems += [] if len(still) > 80 else ["the lesson's notes are gone on the last page"]
    return problems + ([] if moved else ["keys in the speaker's window do not turn pages"])


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="numbers or names of lessons and quizzes; all without")
    names = parser.parse_args(arguments).names
    if find_browser() is None:
        sys.exit(MISSING)
    try:
        paths = [path for name in names for path in course.find(name)] or course.notebooks()
    except course.Stop as unknown:
        parser.error(str(unknown))
    columns = ["pages", "prose", "code", "output", "table", "pictures", "picture", "scaled"]
    print(f"{'px of the smallest letters':<42}" + "".join(f"{name:>9}" for name in columns))
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, open_browser() as browser:
        for path in paths:
            found = check(browser, slides.write(path, Path(folder) / f"{path.stem}.html"))
            cells = [found[name] for name in columns]
            shown = ["–" if cell is None else f"{cell:.2f}" if name == "picture" else f"{cell:g}"
                     for name, cell in zip(columns, cells, strict=True)]  # fmt: skip
            print(f"{path.stem:<42}" + "".join(f"{cell:>9}" for cell in shown), flush=True)
            for problem in found["problems"]:
                print("    " + problem)
            wrong += len(found["problems"])
    print(f"\n{len(paths)} decks, {wrong} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
