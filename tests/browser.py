"""A headless Chromium for tests: `find_browser()` says where one is, `open_browser()` starts it.

    with open_browser() as browser:
        page = browser.new_page()

Taken from COURSE_BROWSER (a path), the PATH, the usual places of the system, or Playwright's own
download. Where there is none, tests skip and say so; with COURSE_BROWSER=required they fail.
"""

import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge")
PLACES = {
    "darwin": ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
               "/Applications/Chromium.app/Contents/MacOS/Chromium",
               "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge"],
    "win32": [r"C:\Program Files\Google\Chrome\Application\chrome.exe",
              r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe"],
}  # fmt: skip
# No sandbox, as containers do not allow it; nothing that would ask the network by itself.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]  # fmt: skip
MISSING = "no Chromium, Chrome or Edge found: install one, or set COURSE_BROWSER to its path"


def find_browser():
    """The path of a browser of Chromium's family, or None."""
    named = os.environ.get("COURSE_BROWSER", "")
    if named not in ("", "required"):
        return named
    for name in NAMES:
        if found := shutil.which(name):
            return found
    for place in PLACES.get(sys.platform, []):
        if Path(place).exists():
            return place
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if os.path.exists(own) else None


@contextmanager
def open_browser():
    """A running headless browser (Playwright's `Browser`), closed at the end with all its pages and its profile.

    Without one the test is skipped; it fails if COURSE_BROWSER is `required`.
    """
    path = find_browser()
    if path is None:
        (pytest.fail if os.environ.get("COURSE_BROWSER") == "required" else pytest.skip)(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()
