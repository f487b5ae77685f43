"""The progress bar updates one output in a notebook, and its plain text never changes."""

import io
import re
import sys

import pytest

import helpers.progress
from helpers.progress import ProgressBar, done, progress


class Display:
    """Stands in for IPython's display in a kernel: remembers what one output showed over time."""

    def __init__(self, monkeypatch):
        self.outputs = []
        monkeypatch.setattr(helpers.progress, "display", self.display)
        monkeypatch.setattr(helpers.progress, "get_ipython", lambda: type("Shell", (), {"kernel": None}))
        monkeypatch.setattr(helpers.progress, "SHORTEST_PAUSE", 0)
        monkeypatch.delenv("COURSE_REFRESH", raising=False)

    def display(self, data, raw, display_id):
        self.outputs.append([data])
        return type("Handle", (), {"update": lambda _, data, raw: self.outputs[-1].append(data)})()

    @property
    def html(self):
        (output,) = self.outputs
        return [data["text/html"] for data in output]

    @property
    def plain(self):
        return {data["text/plain"] for output in self.outputs for data in output}


@pytest.fixture
def notebook(monkeypatch):
    return Display(monkeypatch)


def places(html):
    return [tuple(re.findall(r'(?:max|value)="(\d+)"', text)) for text in html]


def test_the_bar_moves_and_ends_with_count_and_seconds(notebook):
    assert list(progress("abc", "Reading 3 letters")) == ["a", "b", "c"]
    assert places(notebook.html) == [("3", "0"), ("3", "1"), ("3", "2"), ("3", "3"), ("3", "3")]
    assert re.search(r">3 in \d+\.\d s<", notebook.html[-1])
    assert notebook.plain == {"Reading 3 letters"}


def test_updates_are_few(notebook, monkeypatch):
    monkeypatch.setattr(helpers.progress, "SHORTEST_PAUSE", 0.1)
    assert sum(progress(range(100_000), "Adding")) == 4999950000
    assert len(notebook.html) < 20


def test_found_in_the_cache_the_bar_jumps_to_its_end(notebook):
    ProgressBar(4522, "Encoding 4,522 passages").done()
    assert places(notebook.html)[-1] == ("4522", "4522") and "from the cache" in notebook.html[-1]
    notebook.outputs.clear()
    done("Encoding 4,522 passages", "found ready-made")
    assert places(notebook.html)[-1] == ("1", "1") and "found ready-made" in notebook.html[-1]
    assert notebook.plain == {"Encoding 4,522 passages"}


def test_an_unknown_total_is_a_bar_without_a_value(notebook):
    assert list(progress(iter("ab"), "Reading")) == ["a", "b"]
    assert places(notebook.html)[:-1] == [(), (), ()] and places(notebook.html)[-1] == ("2", "2")


def test_it_says_where_it_stopped(notebook):
    with pytest.raises(KeyError), ProgressBar(1000, "Working") as bar:
        bar.update(400)
        raise KeyError
    assert "stopped at 400 of 1,000" in notebook.html[-1]


def test_nothing_to_do(notebook):
    assert list(progress([], "Reading")) == []
    assert places(notebook.html)[-1] == ("1", "1")


def test_it_has_a_label_and_no_open_tags(notebook):
    list(progress("a", 'Words < 3 letters & "more"'))
    assert 'aria-label="Words &lt; 3 letters &amp; &quot;more&quot;"' in notebook.html[0]


def test_saved_outputs_repeat_in_a_refresh(notebook, monkeypatch):
    monkeypatch.setenv("COURSE_REFRESH", "1")
    list(progress("abc", "Reading"))
    computed = notebook.html[-1]
    notebook.outputs.clear()
    ProgressBar(3, "Reading").done()
    assert notebook.html[-1] == computed and "done" in computed


def test_it_can_be_silent(notebook):
    with ProgressBar(3, "Reading", show=False) as bar:
        bar.update()
    assert notebook.outputs == []


def test_a_terminal_gets_one_line_on_stderr(monkeypatch, capsys):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    list(progress("abc", "Reading"))
    assert terminal.getvalue().count("\n") == 1 and re.search(r"Reading: 3 in \d", terminal.getvalue())
    assert capsys.readouterr().out == ""


def test_a_log_file_gets_nothing(capsys):
    list(progress("abc", "Reading"))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("total", "description"), [(3, ""), (3, None), (3, " "), (-1, "Reading")])
def test_bad_input_is_refused(total, description):
    with pytest.raises(ValueError):
        ProgressBar(total, description)
