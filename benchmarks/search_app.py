"""How the film finder holds up when many search at once: requests per second and waiting times, over HTTP as a browser asks.

python benchmarks/search_app.py [--users 50] [--seconds 30]

Starts the app in a process of its own on a free port and sends it real queries, English and Spanish in turn, every third
one with filters. First one user alone, then all of them without a pause between two searches, which is the worst case, then
all of them with some seconds to read. The users run on the same cores as the app. Any answer that is no list of films, and
any error, ends the run.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np

from helpers import datasets

ROOT = Path(__file__).resolve().parent.parent
FILTERS = [([], [], 1902, 2024), (["Drama"], [], 1902, 2024), (["Comedy", "War"], ["Spain", "Mexico"], 1940, 2024)]


def searches(seed: int):
    """Endless searches of one user, as the app's fields: interface, query, read as, filters, films shown."""
    order, asked = random.Random(seed), datasets.film_queries(None)
    turn = seed
    while True:
        language = ("en", "es")[turn % 2]
        query = order.choice(asked[f"query_{language}"].tolist())
        genres, countries, first, last = FILTERS[turn % 3]
        yield [language, query, "auto", genres, countries, first, last, 10]
        turn += 1


async def search(client: httpx.AsyncClient, fields: list) -> str:
    """The films' HTML. Raises RuntimeError where the app answers with anything else."""
    url = "/gradio_api/call/search"
    started = (await client.post(url, json={"data": fields})).raise_for_status().json()
    answer = (await client.get(f"{url}/{started['event_id']}")).raise_for_status().text
    event, _, data = answer.strip().partition("\ndata: ")
    films = json.loads(data)[1] if event == "event: complete" else ""
    if "<article" not in films:
        raise RuntimeError(f"No films for {fields}: {answer[:500]}")
    return films


async def load(url: str, users: int, seconds: float, pause: float) -> np.ndarray:
    """Milliseconds of each search that ended in time."""
    end, waited = time.perf_counter() + seconds, []

    async def use(client: httpx.AsyncClient, seed: int) -> None:
        await asyncio.sleep(random.Random(seed).random() * pause)  # people do not begin in the same moment
        for fields in searches(seed):
            start = time.perf_counter()
            if start > end:
                return
            await search(client, fields)
            waited.append(1000 * (time.perf_counter() - start))
            await asyncio.sleep(pause)

    limits = httpx.Limits(max_connections=2 * users)
    async with (
        httpx.AsyncClient(base_url=url, timeout=60, limits=limits, trust_env=False) as client,
        asyncio.TaskGroup() as group,
    ):
        for seed in range(users):
            group.create_task(use(client, seed))
    return np.array(waited)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--pause", type=float, default=5, help="seconds that a user reads between two searches")
    options = parser.parse_args()
    command = [sys.executable, "-m", "helpers.search_app", "--no-browser"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8") as app:
        try:
            url = next(line for line in app.stdout if "ready: http" in line).split("ready: ")[1].split()[0]
            print(f"{os.cpu_count()} cores; {options.seconds:.0f} s each, no error unless said")
            print(f"{'':32} {'searches/s':>11} {'p50 ms':>8} {'p95 ms':>8} {'longest':>8}")
            for what, users, seconds, pause in [
                ("one user", 1, 10, 0),
                (f"{options.users} users, no pause", options.users, options.seconds, 0),
                (
                    f"{options.users} users, {options.pause:.0f} s to read",
                    options.users,
                    options.seconds,
                    options.pause,
                ),
            ]:
                waited = asyncio.run(load(url, users, seconds, pause))
                p50, p95, longest = np.percentile(waited, [50, 95, 100])
                print(f"{what:32} {len(waited) / seconds:11.1f} {p50:8.0f} {p95:8.0f} {longest:8.0f}", flush=True)
        finally:
            app.terminate()
            app.communicate()


if __name__ == "__main__":
    main()
