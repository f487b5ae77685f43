"""When a lesson may talk to a cloud, and where its keys come from. A key alone changes nothing; no key is ever shown."""

import getpass
import os
import re
import sys
from pathlib import Path

from IPython import get_ipython

SERVICES = ("openai", "pinecone")
DOTENV = Path(__file__).resolve().parents[2] / ".env"  # ignored by git
_typed: dict[str, str] = {}  # keys typed in by the learner, kept until the process ends


def uses_cloud(service: str) -> bool:
    """Whether ``COURSE_CLOUD``, a comma list, names this service. Raises ValueError where it names an unknown one."""
    if service not in SERVICES:
        raise ValueError(f"The course knows the services {', '.join(SERVICES)}, not {service!r}.")
    named = [name.strip().lower() for name in os.environ.get("COURSE_CLOUD", "").split(",") if name.strip()]
    unknown = [name for name in named if name not in SERVICES]
    if unknown:
        # Somebody may have put a key there by mistake: only what looks like a plain word is repeated.
        shown = [repr(name) if re.fullmatch("[a-z]{1,12}", name) else "something that is no name" for name in unknown]
        raise ValueError(
            f"COURSE_CLOUD holds {', '.join(shown)}. It lists the clouds to use, with commas between them: "
            f"{','.join(SERVICES)}, or one of these. Leave it out to work on this machine."
        )
    return service in named


def secret(name: str, *, required: bool = True) -> str | None:
    """A key, by its name: from the environment, else from ``.env`` at the project's root, else typed in by the learner.

    It is asked for only where somebody can type. Where there is none: None, or LookupError if it is required.
    Raises ValueError for a key with characters that no key has; no message holds any part of it.
    """
    value = os.environ.get(name, "").strip() or _dotenv().get(name, "") or _typed.get(name, "")
    if not value and required:
        value = _typed[name] = _ask(name)
    if not value and required:
        raise LookupError(
            f"There is no {name}. Set it in the environment, write a line {name}=… into the file .env beside course.py, "
            "or take COURSE_CLOUD away: then the lesson runs on this machine, without a key."
        )
    if value and not re.fullmatch(r"[!-~]+", value):
        raise ValueError(
            f"{name} holds a space or a letter that no key has: copy it again, without anything around it."
        )
    return value or None


def _dotenv() -> dict[str, str]:
    """Lines ``NAME=value`` of the file .env; comments, quotes and a leading ``export`` are understood."""
    try:
        lines = DOTENV.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"The file .env cannot be read ({type(error).__name__}): save it as plain UTF-8 text."
        ) from None
    found = (re.fullmatch(r"\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*", line) for line in lines)
    return {match[1]: re.sub(r"""^(["'])(.*)\1$""", r"\2", match[2]) for match in found if match}


def _ask(name: str) -> str:
    kernel = getattr(get_ipython(), "kernel", None)
    can_type = getattr(kernel, "_allow_stdin", False) if kernel else sys.stdin is not None and sys.stdin.isatty()
    return (
        getpass.getpass(f"{name} (it is not shown, and kept only until this process ends): ").strip()
        if can_type
        else ""
    )


def allow_loopback() -> None:
    """Make clients reach 127.0.0.1 directly where a proxy is set, by ``NO_PROXY``; what stands there stays."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host.strip() for host in os.environ.get(name, "").split(",") if host.strip()]
        missing = [host for host in ("127.0.0.1", "localhost") if host not in hosts and "*" not in hosts]
        if missing:
            os.environ[name] = ",".join(hosts + missing)
