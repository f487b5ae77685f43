"""What every pytest run in this repository shares: a fixed environment, and how nbval compares notebooks."""

import os
import sys
import tempfile

import pytest

# Set before anything imports numpy, and inherited by the notebooks' kernels: a plain `pytest` sees
# what `python course.py test` sees. One thread, because pytest-xdist already uses all cores.
for _name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("PYTHONHASHSEED", "0")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("IPYTHONDIR", os.path.join(sys.prefix, "ipython"))  # no personal start-up files
for _name in ("NO_PROXY", "no_proxy"):
    os.environ.setdefault(_name, "127.0.0.1,localhost")
for _name in ("COURSE_CLOUD", "COURSE_ENCODER", "COURSE_RERANKER", "OPENAI_API_KEY", "OPENAI_BASE_URL",
              "PINECONE_API_KEY", "PINECONE_CONTROLLER_HOST"):  # fmt: skip
    os.environ.pop(_name, None)  # a test must not spend money

# Learners' copies, environments, and the canary, a notebook that is wrong on purpose (tests/test_gate.py runs it).
collect_ignore_glob = ["my_notebooks/*", ".venv/*", "*/.ipynb_checkpoints/*"]
if not os.environ.get("COURSE_CANARY"):
    collect_ignore_glob.append("tests/canary/*")

# What nbval never compares: its own bookkeeping, as nbval itself lists it …
BOOKKEEPING = (
    "metadata",
    "traceback",
    "prompt_number",
    "output_type",
    "name",
    "execution_count",
    "application/vnd.jupyter.widget-view+json",  # ids of widgets are random
)
# … and what differs between machines: pictures (their text/plain, the alternative text, is compared),
# the HTML twin of a text/plain that is compared, and stderr. Nothing else: each addition is a hole.
NOT_COMPARED = ("stderr", "text/html", "image/png", "image/svg+xml")


def pytest_collectstart(collector):
    if hasattr(collector, "skip_compare"):  # nbval's notebooks
        collector.skip_compare = BOOKKEEPING + NOT_COMPARED


# Kernels refuse and write down connections beyond this machine (tests/test_loopback_only.py); one is enough to fail the run.
_GUARD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tests", "loopback")


def pytest_sessionstart(session):
    if "COURSE_SOCKET_LOG" not in os.environ:  # workers of pytest-xdist inherit it
        handle, os.environ["COURSE_SOCKET_LOG"] = tempfile.mkstemp(suffix=".log")
        os.close(handle)
        session.config.owns_socket_log = True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item):
    if not hasattr(item, "cell_num"):  # nbval's cells: the first one starts the notebook's kernel
        return (yield)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [_GUARD, before]))
    try:
        return (yield)
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def pytest_sessionfinish(session):
    if getattr(session.config, "owns_socket_log", False):
        with open(os.environ["COURSE_SOCKET_LOG"], encoding="utf-8") as log:
            beyond = sorted(set(log.read().splitlines()))
        os.unlink(os.environ["COURSE_SOCKET_LOG"])
        if beyond:
            print("\nConnections beyond this machine were tried:", *beyond, sep="\n  ")
            session.exitstatus = 1
