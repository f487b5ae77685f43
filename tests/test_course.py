"""What course.py promises to a learner, tried on a small course in a temporary folder."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from itertools import product
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import course
from helpers import refresh as refresher

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A course of two lessons and a quiz; returns its folder."""
    for name, value in {
        "ROOT": tmp_path,
        "NOTEBOOKS": tmp_path / "notebooks",
        "MINE": tmp_path / "my_notebooks",
        "VENV": tmp_path / ".venv",
    }.items():
        monkeypatch.setattr(course, name, value)
    for name, file in {"READY": ".ready", "STARTED": ".started", "LOG": "setup.log"}.items():
        monkeypatch.setattr(course, name, tmp_path / ".venv" / file)
    monkeypatch.setattr(course, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(course, "REQUIREMENTS", [tmp_path / "requirements.txt", tmp_path / "constraints.txt"])
    for path in course.REQUIREMENTS:
        path.write_text("torch==2.13.0\n", encoding="utf-8")
    for name in ("1_first/01_one", "1_first/quiz_1", "2_second/05_tf_idf"):
        write(tmp_path / "notebooks" / f"{name}.ipynb", [f"print('{name}')"])
    return tmp_path


def write(path, sources, **metadata):
    """A notebook; strings are code cells, cells stay as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [cell if isinstance(cell, dict) else new_code_cell(cell) for cell in sources]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    return path


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


# ---------------------------------------------------------------- words and arguments


def test_help_names_every_command(capsys):
    for arguments in ([], ["--help"], ["-h"], ["help"]):
        assert course.main(arguments) == 0
        shown = capsys.readouterr().out
        assert all(f"course.py {name}" in shown for name in course.COMMANDS)


def test_unknown_command_gets_a_suggestion(capsys):
    assert course.main(["tets"]) == 2
    assert "Do you mean test?" in capsys.readouterr().out


def test_slides_ask_for_a_lesson_before_anything_is_installed(small, capsys):
    for arguments, words in [([], "slides 02"), (["--no-browser"], "slides 02"), (["07"], "No notebook is called 07")]:
        assert course.main(["slides", *arguments]) == 1
        assert words in capsys.readouterr().out
    assert not course.VENV.exists()


def test_slides_take_lessons_files_and_options(small, monkeypatch):
    calls = []
    monkeypatch.setattr(course, "set_up", lambda: None)
    monkeypatch.setattr(course, "run", lambda arguments, env: calls.append(arguments) or 0)
    monkeypatch.chdir(small)
    own = write(small / "my_notebooks" / "talk.ipynb", ["1"])
    assert course.main(["slides", "05", "my_notebooks/talk.ipynb", "--output", "deck.html"]) == 0
    lesson = small / "notebooks" / "2_second" / "05_tf_idf.ipynb"
    assert calls == [["-m", "helpers.slides", str(lesson), str(own), "--output", str(small / "deck.html")]]


def test_the_app_starts_at_once_and_takes_options(small, monkeypatch):
    calls = []
    monkeypatch.setattr(course, "set_up", lambda: None)
    monkeypatch.setattr(course, "run", lambda arguments, env: calls.append(arguments) or 0)
    assert course.main(["app", "--no-browser", "--port", "9000"]) == 0
    assert calls == [["-m", "helpers.search_app", "--no-browser", "--port", "9000"]], "without what lessons prepare"


@pytest.mark.parametrize(
    "name, found",
    [
        ("5", "05_tf_idf"),
        ("05", "05_tf_idf"),
        ("quiz_1", "quiz_1"),
        ("tf_idf", "05_tf_idf"),
        ("01_one", "01_one"),
        ("notebooks/2_second/05_tf_idf.ipynb", "05_tf_idf"),
    ],
)
def test_notebooks_are_found_by_number_name_or_path(small, name, found):
    assert [path.stem for path in course.find(name)] == [found]


def test_a_notebook_that_is_not_there_is_named(small):
    with pytest.raises(course.Stop, match="No notebook is called 07. There are: 01_one, quiz_1, 05_tf_idf"):
        course.find("07")


def test_arguments_of_test_reach_pytest(small):
    (small / "tests").mkdir()
    lesson = str(small / "notebooks" / "2_second" / "05_tf_idf.ipynb")
    assert course.pytest_arguments([]) == ["tests", "notebooks"]
    assert course.pytest_arguments(["-k", "tf_idf"]) == ["-k", "tf_idf", "tests", "notebooks"]
    assert course.pytest_arguments(["-k", "tests"]) == ["-k", "tests", "tests", "notebooks"]
    assert course.pytest_arguments(["-x", "tests"]) == ["-x", "tests"]
    assert course.pytest_arguments(["tests::test_a"]) == ["tests::test_a"]
    assert course.pytest_arguments(["05", "-n", "1"]) == ["-n", "1", lesson]


def test_tests_see_neither_cloud_nor_key(monkeypatch):
    for name in [*course.CLOUD, "MPLBACKEND", "PYTHONPATH"]:
        monkeypatch.setenv(name, "something")
    monkeypatch.setenv("NO_PROXY", "intranet")
    monkeypatch.setenv("COURSE_BROWSER", "required")  # .ci/run sets it
    env = course.test_environment()
    assert env["COURSE_BROWSER"] == "required"
    assert not [name for name in [*course.CLOUD, "MPLBACKEND", "PYTHONPATH"] if name in env]
    assert env["NUMBA_NUM_THREADS"] == env["OMP_NUM_THREADS"] == "1" and env["PYTHONHASHSEED"] == "0"
    assert env["HF_HUB_OFFLINE"] == "1" and env["NO_PROXY"] == "intranet,127.0.0.1,localhost"


def test_a_taken_port_is_seen_before_anything_starts(small, monkeypatch, capsys):
    monkeypatch.setattr(course, "set_up", lambda: None)
    monkeypatch.setattr(course, "run", lambda *_: pytest.fail("must not start"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for command, arguments in product(("lab", "app"), (["--port", str(port)], [f"--port={port}"])):
            assert course.main([command, *arguments]) == 1
            assert f"--port {port + 1}" in capsys.readouterr().out


def test_lab_opens_the_lesson_that_is_asked_for_and_passes_the_rest_on(small, monkeypatch):
    calls = []
    monkeypatch.setattr(course, "set_up", lambda: None)
    monkeypatch.setattr(course, "run", lambda arguments, env: calls.append(arguments) or 0)
    assert course.main(["lab", "--no-browser"]) == 0
    assert course.main(["lab", "5", "--ServerApp.quit_button=False"]) == 0
    assert [call for call in calls if call == ["-m", "helpers.prepare"]] and len(calls) == 4
    assert "--LabApp.default_url=/lab/tree/my_notebooks/1_first/01_one.ipynb" in calls[1]
    assert "--LabApp.default_url=/lab/tree/my_notebooks/2_second/05_tf_idf.ipynb" in calls[3]
    assert calls[1][-1] == "--no-browser" and calls[3][-1] == "--ServerApp.quit_button=False"
    quiet = json.loads((small / ".venv/share/jupyter/lab/settings/overrides.json").read_text(encoding="utf-8"))
    assert quiet["@jupyterlab/apputils-extension:notification"] == {"fetchNews": "false", "checkForUpdates": False}


# ---------------------------------------------------------------- the learner's copies


def test_copies_keep_the_folders_and_bring_other_files_along(small):
    (small / "notebooks" / "1_first" / "map.png").write_bytes(b"picture")
    (small / "notebooks" / ".ipynb_checkpoints").mkdir()
    write(small / "notebooks" / ".ipynb_checkpoints" / "01.ipynb", ["1"])
    assert course.copy_notebooks() == []
    copied = sorted(path.relative_to(course.MINE).as_posix() for path in course.MINE.rglob("*") if path.is_file())
    assert copied == [
        ".copies.json",
        "1_first/01_one.ipynb",
        "1_first/map.png",
        "1_first/quiz_1.ipynb",
        "2_second/05_tf_idf.ipynb",
    ]


def test_untouched_copies_are_renewed_and_touched_ones_stay(small):
    course.copy_notebooks()
    one, five = (small / "notebooks" / name for name in ("1_first/01_one.ipynb", "2_second/05_tf_idf.ipynb"))
    mine_one, mine_five = (course.MINE / path.relative_to(course.NOTEBOOKS) for path in (one, five))
    edit(mine_five, "print", "my_print")
    assert course.copy_notebooks() == [], "touched, but nothing new in the course"
    edit(one, "print", "new_print")
    edit(five, "print", "new_print")
    for _ in range(2):  # named at each call until the learner decides
        assert course.copy_notebooks() == [five]
    assert "new_print" in mine_one.read_text(encoding="utf-8")
    assert "my_print" in mine_five.read_text(encoding="utf-8")


def test_running_a_copy_does_not_count_as_touching_it(small):
    course.copy_notebooks()
    copy = course.MINE / "1_first" / "01_one.ipynb"
    notebook = nbformat.read(copy, 4)
    notebook.cells[0].outputs, notebook.cells[0].execution_count = [new_output("stream", text="1\n")], 3
    notebook.metadata["language_info"] = {"name": "python", "version": "3.12.1"}
    nbformat.write(notebook, copy)
    edit(course.NOTEBOOKS / "1_first" / "01_one.ipynb", "print", "new_print")
    assert course.copy_notebooks() == []
    assert "new_print" in copy.read_text(encoding="utf-8")


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"1_first/01_one.ipynb": 5}', None])
def test_a_lost_or_damaged_list_of_copies_loses_no_work(small, damage):
    course.copy_notebooks()
    copy = course.MINE / "1_first" / "01_one.ipynb"
    edit(copy, "print", "my_print")
    if damage is None:
        (course.MINE / ".copies.json").unlink()
    else:
        (course.MINE / ".copies.json").write_text(damage, encoding="utf-8")
    assert course.copy_notebooks() == [course.NOTEBOOKS / "1_first" / "01_one.ipynb"]
    assert "my_print" in copy.read_text(encoding="utf-8")


def test_a_damaged_copy_is_left_alone_and_named_by_progress(small, capsys):
    course.copy_notebooks()
    copy = course.MINE / "1_first" / "01_one.ipynb"
    copy.write_text('{"cells": [', encoding="utf-8")
    edit(course.NOTEBOOKS / "1_first" / "01_one.ipynb", "print", "new_print")
    assert course.copy_notebooks() == [course.NOTEBOOKS / "1_first" / "01_one.ipynb"]
    assert course.main(["progress"]) == 0
    assert "reset 01_one" in capsys.readouterr().out


def test_a_lesson_that_left_the_course_goes_unless_touched(small):
    course.copy_notebooks()
    edit(course.MINE / "2_second" / "05_tf_idf.ipynb", "print", "my_print")
    (course.NOTEBOOKS / "1_first" / "quiz_1.ipynb").unlink()
    (course.NOTEBOOKS / "2_second" / "05_tf_idf.ipynb").unlink()
    course.copy_notebooks()
    assert not (course.MINE / "1_first" / "quiz_1.ipynb").exists()
    assert (course.MINE / "2_second" / "05_tf_idf.ipynb").exists()


def test_reset_keeps_each_earlier_copy(small, capsys):
    course.copy_notebooks()
    copy = course.MINE / "2_second" / "05_tf_idf.ipynb"
    for number in (1, 2):
        edit(copy, "print", f"print{number}")
        assert course.main(["reset", "05"]) == 0
        kept = copy.with_name(f"05_tf_idf.before-reset-{number}.ipynb")
        assert f"print{number}" in kept.read_text(encoding="utf-8") and kept.name in capsys.readouterr().out
        assert copy.read_bytes() == (course.NOTEBOOKS / "2_second" / "05_tf_idf.ipynb").read_bytes()
    assert course.copy_notebooks() == []
    assert course.main(["reset"]) == 1 and "reset 05" in capsys.readouterr().out


def test_progress_reads_the_open_checks_only(small, capsys):
    def check(number, mark, tags=()):
        output = new_output("display_data", data={"text/plain": f"{mark} {number} a hint", "text/html": "…"})
        return new_code_cell(
            f'@exercise("{number}")\ndef check(f): ...\ncheck(f)', outputs=[output], metadata={"tags": list(tags)}
        )

    def solution(number, tag, text):
        return new_code_cell("check(solution)", outputs=[new_output("stream", text=text)], metadata={"tags": [tag]})

    empty = new_code_cell('@exercise("1.4")\ndef check(f): ...')
    write(
        course.NOTEBOOKS / "1_first" / "01_one.ipynb",
        [
            new_markdown_cell('# 01\n@exercise("9.9")'),
            check("1.1", "✅"),
            solution("1.1", "solution", "✅ 1.1 (worked solution)\n"),
            check("1.2", "⬜"),
            solution("1.2", "solution", "✅ 1.2 (worked solution)\n"),
            check("1.3", "❌"),
            solution("1.3", "wrong", "✅ 1.3\n"),
            empty,
        ],
    )
    course.copy_notebooks()
    copy = course.MINE / "1_first" / "01_one.ipynb"
    assert course.exercises(copy) == {"1.1": "✅", "1.2": "⬜", "1.3": "❌", "1.4": "⬜"}
    assert course.main(["progress"]) == 0
    shown = capsys.readouterr().out
    assert "1 of 4" in shown and "✅ 1.1" in shown and "❌ 1.3" in shown


# ---------------------------------------------------------------- the set-up


def python_in_venv(small):
    """A stand-in for a finished virtual environment: .venv/bin/python is this Python."""
    course.PYTHON.parent.mkdir(parents=True)
    course.PYTHON.symlink_to(sys.executable)


needs_links = pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")


@needs_links
def test_ready_follows_the_requirement_files_and_the_python(small, monkeypatch):
    python_in_venv(small)
    assert not course.is_ready()
    course.READY.write_text(course.stamp(course.venv_version()), encoding="utf-8")
    assert course.is_ready()
    monkeypatch.setattr(course, "check_python", lambda: pytest.fail("a ready environment is not set up again"))
    course.set_up()
    course.REQUIREMENTS[1].write_bytes(course.REQUIREMENTS[1].read_bytes().replace(b"\n", b"\r\n"))
    assert course.is_ready(), "line ends are no change"
    course.REQUIREMENTS[1].write_text("torch==2.14.0\n", encoding="utf-8")
    assert not course.is_ready()
    course.REQUIREMENTS[1].write_text("torch==2.13.0\n", encoding="utf-8")
    course.PYTHON.unlink()
    assert not course.is_ready(), "a .venv whose Python is gone"


def make(monkeypatch):
    """Run make_venv with the installers replaced; returns the commands that it would have run."""
    commands = []
    monkeypatch.setattr(course, "try_step", lambda title, tries, lock: commands.append(tries[0][0]) or True)
    course.make_venv(lock=None)
    return commands


def test_an_interrupted_set_up_starts_afresh(small, monkeypatch, capsys):
    course.VENV.mkdir()
    course.STARTED.write_text("made by course.py\n", encoding="utf-8")
    (course.VENV / "half").write_text("a package", encoding="utf-8")
    assert make(monkeypatch)[0][1:3] == ["-m", "venv"]
    assert not (course.VENV / "half").exists() and course.STARTED.exists()
    assert "interrupted" in capsys.readouterr().out


@needs_links
def test_a_complete_environment_is_brought_up_to_date_in_place(small, monkeypatch):
    python_in_venv(small)
    course.STARTED.write_text("made by course.py\n", encoding="utf-8")
    course.READY.write_text("of an earlier version", encoding="utf-8")
    assert make(monkeypatch) == []
    assert not course.READY.exists(), "not ready while it is being changed"


@needs_links
def test_an_environment_of_somebody_else_is_used_and_never_deleted(small, monkeypatch):
    python_in_venv(small)
    assert make(monkeypatch) == []
    monkeypatch.setattr(course, "venv_version", lambda: "3.14")
    with pytest.raises(course.Stop, match="not from course.py"):
        make(monkeypatch)
    assert course.PYTHON.exists()


@pytest.mark.parametrize(
    "version, platform, machine, words",
    [
        ((3, 10), "linux", "x86_64", "too old"),
        ((3, 14), "linux", "x86_64", "too new: gensim"),
        ((3, 12), "darwin", "x86_64", "Intel"),
        ((3, 12), "darwin", "arm64", None),
        ((3, 13), "win32", "AMD64", None),
    ],
)
def test_unfit_pythons_get_one_sentence(small, monkeypatch, version, platform, machine, words):
    monkeypatch.setattr(course.sys, "version_info", (*version, 0, "final", 0))
    monkeypatch.setattr(course.sys, "platform", platform)
    monkeypatch.setattr(course.platform, "machine", lambda: machine)
    if words is None:
        return course.check_python()
    with pytest.raises(course.Stop, match=words):
        course.check_python()


def test_a_missing_venv_module_is_seen_before_anything_is_left(small, monkeypatch, capsys):
    monkeypatch.setattr(course.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else object())
    assert course.main(["lab"]) == 1
    assert "sudo apt install python3-venv" in capsys.readouterr().out.replace("\n", " ")
    assert not course.VENV.exists()


def test_a_full_disk_is_seen_before_anything_is_left(small, monkeypatch, capsys):
    monkeypatch.setattr(course.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 9 * 10**8, 10**8))
    assert course.main(["test"]) == 1
    assert "3 GB" in capsys.readouterr().out and not course.VENV.exists()


def test_a_folder_without_rights_gets_a_sentence(small, monkeypatch, capsys):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(small / ".venv.lock"))

    monkeypatch.setattr(course, "setup_lock", refuse)
    assert course.main(["lab"]) == 1
    assert "folder of your own" in capsys.readouterr().out


@pytest.mark.parametrize(
    "said, words",
    [
        ("NewConnectionError('… Name or service not known')", "No connection"),
        ("error: Failed to fetch\n  cause: dns error", "No connection"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("SSLError(… CERTIFICATE_VERIFY_FAILED …)", "certificate"),
        ("ERROR: No matching distribution found for torch==9", "No matching distribution found for torch==9"),
    ],
)
def test_failures_of_the_installer_are_explained(small, said, words):
    course.VENV.mkdir()
    course.LOG.write_text(said, encoding="utf-8")
    assert words in course.why_it_failed()


def test_settings_of_pip_reach_uv():
    pip = {
        "index-url": "https://a/simple",
        "extra-index-url": "\nhttps://b\nhttps://c",
        "find-links": "/one /two",
        "cert": "/ca.pem",
        "trusted-host": "a b",
    }
    env = course.uv_environment({"PATH": "x", "SSL_CERT_FILE": "/mine.pem"}, pip)
    assert env["UV_DEFAULT_INDEX"] == "https://a/simple" and env["UV_INDEX"] == "https://b https://c"
    assert env["UV_FIND_LINKS"] == "/one,/two" and env["UV_INSECURE_HOST"] == "a b"
    assert env["SSL_CERT_FILE"] == "/mine.pem", "uv's own variables rule"


def test_two_set_ups_wait_for_each_other(small):
    with course.setup_lock(), open(small / ".venv.lock", "a") as second:
        assert not course.try_lock(second)
    with open(small / ".venv.lock", "a") as second:
        assert course.try_lock(second)


@pytest.mark.parametrize("old", ["3.6", "3.8", "3.10"])
def test_an_old_python_reads_the_file_and_says_so(old, tmp_path):
    pythons = [shutil.which(f"python{old}"), *sorted(map(str, Path.home().glob(f".pyenv/versions/{old}.*/bin/python")))]
    for python in filter(None, pythons):
        shutil.copy(ROOT / "course.py", tmp_path)
        done = subprocess.run([python, "course.py", "lab"], cwd=tmp_path, capture_output=True, encoding="utf-8")
        if f"Python {old} is too old" in done.stdout:
            assert done.returncode == 1 and not done.stderr and len(done.stdout.strip().splitlines()) == 1
            return
        assert "Traceback" not in done.stderr and "SyntaxError" not in done.stderr
    pytest.skip(f"no Python {old} here")


# ---------------------------------------------------------------- doctor and refresh


def test_doctor_installs_nothing_and_fits_one_screen(small, capsys):
    assert course.main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "not set up" in shown and "needed once" in shown and len(shown.splitlines()) <= 24
    assert not course.VENV.exists()


def test_doctor_knows_the_checksums_that_the_helpers_check():
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "helpers").glob("*.py"))
    assert course.ENCODER_SHA256 in sources and course.DUMP_SHA256 in sources


@pytest.fixture
def lesson(tmp_path):
    """A notebook with a varying cell, a figure, two streams and all that refresh has to remove."""
    return write(
        tmp_path / "01_one.ipynb",
        [
            new_markdown_cell("# 01"),
            "print('a')\nprint('b')",
            new_code_cell("import time; print(time.time())", metadata={"tags": ["nbval-ignore-output"]}),
            new_code_cell("1 + 1", metadata={"execution": {"iopub.execute_input": "2026"}}),
            new_code_cell("import ipywidgets; ipywidgets.IntSlider()", metadata={"tags": ["nbval-ignore-output"]}),
        ],
        widgets={"state": {}},
        kernelspec={"name": "python3", "display_name": "mine", "language": "python"},
    )


def test_refresh_twice_changes_nothing(lesson):
    assert refresher.main([str(lesson)]) == 0
    first = lesson.read_bytes()
    assert refresher.main([str(lesson)]) == 0
    assert lesson.read_bytes() == first and first.endswith(b"}\n") and b"\r" not in first
    notebook = json.loads(first)
    assert [cell["id"] for cell in notebook["cells"]] == [f"cell-{number}" for number in range(5)]
    assert [cell.get("execution_count") for cell in notebook["cells"]] == [None, 1, 2, 3, 4]
    assert notebook["cells"][1]["outputs"] == [{"name": "stdout", "output_type": "stream", "text": ["a\n", "b\n"]}]
    assert notebook["metadata"]["kernelspec"] == refresher.KERNEL and "widgets" not in notebook["metadata"]
    assert "version" not in notebook["metadata"]["language_info"]
    assert "execution" not in notebook["cells"][3]["metadata"]


def test_refresh_renews_what_varies_when_something_else_changed(lesson):
    refresher.main([str(lesson)])
    before = json.loads(lesson.read_bytes())
    edit(lesson, "1 + 1", "1 + 2")
    refresher.main([str(lesson)])
    after = json.loads(lesson.read_bytes())
    assert after["cells"][3]["outputs"][0]["data"]["text/plain"] == ["3"]
    assert after["cells"][2]["outputs"] != before["cells"][2]["outputs"]


def test_refresh_leaves_a_notebook_that_raises_as_it_was(lesson, capsys):
    edit(lesson, "1 + 1", "1 / 0")
    before = lesson.read_bytes()
    assert refresher.main([str(lesson)]) == 1
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert lesson.read_bytes() == before and "1 / 0" in shown and "ZeroDivisionError" in shown
