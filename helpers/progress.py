"""The course's one progress bar.

    for batch in progress(batches, "Encoding 4,522 passages"):
        ...
    with ProgressBar(4522, "Encoding 4,522 passages") as bar:
        bar.update(64)
    done("Encoding 4,522 passages", "from the cache")     # nothing to do: the bar is full at once

In a notebook it is an HTML `<progress>` that is updated in place. Its plain text is the description,
always, so a cell's compared output is the same whether the work was done or found in a cache.
In a terminal it is a single line on stderr; elsewhere (a log file, a pipe) it is silent.
With COURSE_REFRESH set, a finished bar says "done" and nothing else, so that saved outputs repeat exactly.
"""

import html
import os
import sys
import time

from IPython import get_ipython
from IPython.display import display

SHORTEST_PAUSE = 0.1  # seconds between two updates of the display


class ProgressBar:
    """A bar that `update(n)` moves on and `done()` finishes; as a context manager it does the latter by itself.

    total: number of steps, or None if nobody knows. description: what is being done, constant text.
    show=False keeps it silent. Raises ValueError if the description is empty or the total is negative.
    """

    def __init__(self, total, description, *, show=True):
        if not description or not str(description).strip():
            raise ValueError("a progress bar needs a description: what is being done")
        if total is not None and total < 0:
            raise ValueError(f"total must not be negative, but is {total}")
        self.total, self.description, self.count = total, " ".join(str(description).split()), 0
        self.in_notebook = show and hasattr(get_ipython(), "kernel")
        self.in_terminal = show and not self.in_notebook and sys.stderr is not None and sys.stderr.isatty()
        self.handle, self.started, self.shown = None, time.perf_counter(), 0.0
        self._show("")

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.done()
        else:
            self._show(f"stopped at {self._counted()}", last=True)

    def update(self, steps=1):
        """Move the bar on by a number of steps."""
        self.count += steps
        if time.perf_counter() - self.shown >= SHORTEST_PAUSE:
            self._show(self._counted())

    def done(self, note=None):
        """Fill the bar, and show the count and the seconds it took, or "from the cache" if there were no steps.

        note: what to show instead.
        """
        if note is None and self.count == 0 and self.total != 0:
            note = "from the cache"
        elif note is None:
            note = f"{self.count:,} in {time.perf_counter() - self.started:.1f} s"
        self.total = self.count = self.count or self.total or 1
        if os.environ.get("COURSE_REFRESH"):
            self.total, self.count, note = 1, 1, "done"
        self._show(note, last=True)

    def _counted(self):
        return f"{self.count:,}" if self.total is None else f"{self.count:,} of {self.total:,}"

    def _show(self, note, last=False):
        self.shown = time.perf_counter()
        if self.in_notebook:
            data = {"text/plain": self.description, "text/html": self._html(note)}
            if self.handle is None:
                self.handle = display(data, raw=True, display_id=True)
            else:
                self.handle.update(data, raw=True)
        elif self.in_terminal:
            print(f"\r\x1b[K{self.description}: {note}", end="\n" if last else "", file=sys.stderr, flush=True)

    def _html(self, note):
        label = html.escape(self.description)
        place = "" if self.total is None else f' max="{max(self.total, 1)}" value="{self.count}"'
        return (
            '<div style="display: flex; flex-wrap: wrap; gap: 0.2em 1em; align-items: center">'
            f"<span>{label}</span>"
            f'<progress aria-label="{label}"{place} style="width: 16em; height: 1.1em"></progress>'
            f'<span style="font-variant-numeric: tabular-nums">{html.escape(note)}</span></div>'
        )


def progress(iterable, description, total=None):
    """Yield the items of an iterable while a bar shows how many have gone by.

    total: the number of items, where `len(iterable)` does not tell.
    """
    if total is None:
        total = len(iterable) if hasattr(iterable, "__len__") else None
    with ProgressBar(total, description) as bar:
        for item in iterable:
            yield item
            bar.update()


def done(description, note="from the cache"):
    """Show a full bar at once, for work that was found done; silent outside of a notebook."""
    ProgressBar(1, description).done(note)
