"""The film finder in a browser, on this machine only: ``python course.py app``, or in a notebook ``launch(build(Finder()))``.

``helpers/films`` holds its parts: the search (finder.py), what the page answers (answers.py, rendering.py), the page itself
(page.py), its words (texts.py) and its looks (page.css).
"""

import argparse
import signal
import sys
import time
import webbrowser
from pathlib import Path

import httpx

from helpers.films.finder import Finder
from helpers.films.page import build, gr  # Gradio comes from there: its settings stand before its import

HOST, PORT = "127.0.0.1", 7860
HERE = Path(__file__).parent
AT_ONCE = 4  # searches at a time; more would only wait for each other, since two cores do the work
FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
THEME = gr.themes.Base(primary_hue="indigo", neutral_hue="slate", font=FONTS, font_mono=["ui-monospace", "monospace"])


def launch(page: gr.Blocks, port: int = 0) -> str:
    """Serve a page on this machine, without a link to share, and return its address; ``page.close()`` ends it.

    port: 0 takes the first free one from 7860 on. Raises RuntimeError where the port asked for is taken.
    """
    page.queue(default_concurrency_limit=AT_ONCE)
    script = (HERE / "films" / "page.js").read_text(encoding="utf-8")
    for each in [port] if port else range(PORT, PORT + 100):
        try:
            page.launch(
                share=False, server_name=HOST, server_port=each, prevent_thread_lock=True, quiet=True, inbrowser=False,
                footer_links=[], ssr_mode=False, pwa=False, mcp_server=False, show_error=False,
                theme=THEME, css_paths=HERE / "films" / "page.css", head=f"<script>{script}</script>",
            )  # fmt: skip
            return f"http://{HOST}:{each}/"
        except OSError:  # taken
            continue
    raise RuntimeError(
        f"Port {port} is taken or reserved. Choose another one (--port {port + 1}), or leave --port out."
        if port
        else f"The ports {PORT} to {PORT + 99} are all taken: name another one (--port 9000)."
    )


def warm_up(url: str) -> None:
    """Ask the running app once as a browser would: the first answer takes a second more, and nobody should wait for it."""
    with httpx.Client(base_url=f"{url}gradio_api/call/search", timeout=60, trust_env=False) as client:
        for query in ("Casablanca", "un tren de noche"):
            asked = client.post("", json={"data": ["en", query, "auto", [], [], None, None, 10]}).raise_for_status()
            client.get(f"/{asked.json()['event_id']}").raise_for_status()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python course.py app", description="A film finder, in your browser.")
    parser.add_argument("--port", type=int, default=0, help=f"instead of {PORT}, or the first free one after it")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    options = parser.parse_args(arguments)
    if not 0 <= options.port < 65_536:
        parser.error(f"a port is a number from 1024 to 65535, not {options.port}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl+C does
    page = None
    try:
        page = build(Finder())
        url = launch(page, options.port)
        warm_up(url)
        if not options.port and not url.endswith(f":{PORT}/"):
            print(f"Port {PORT} is taken, perhaps by another film finder: this one uses the next free one.")
        print(f"The film finder is ready: {url} (Ctrl+C ends it)", flush=True)
        if not options.no_browser:
            webbrowser.open(url)
        while True:  # in small steps: on Windows a wait without end cannot be interrupted
            time.sleep(0.5)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nThe film finder has ended.")
        return 0
    finally:
        if page is not None:
            page.close(verbose=False)


if __name__ == "__main__":
    sys.exit(main())
