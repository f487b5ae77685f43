"""Chroma as this course uses it: quiet clients, cosine, and an embedding function whose model is checked.

    client = chroma_client("16_my_lesson/films")             # below data/cache/; no path: in memory
    collection = create_collection(client, "films")          # replaces an older one of that name
    add_in_batches(collection, ids, documents=texts, embeddings=vectors)
    collection = open_collection(client, "films")            # later: refused if the distance or the model is another

Lesson 16 shows what happens without these checks, lesson 17 builds them by hand.
"""

import functools
import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

os.environ["ANONYMIZED_TELEMETRY"] = "False"  # read by all of Chroma's settings, also of a server started from here

import chromadb  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from chromadb.api.shared_system_client import SharedSystemClient  # noqa: E402
from chromadb.config import Settings  # noqa: E402
from chromadb.errors import NotFoundError  # noqa: E402
from chromadb.utils.embedding_functions import EmbeddingFunction, register_embedding_function  # noqa: E402

from helpers import datasets, encoder  # noqa: E402
from helpers.progress import ProgressBar  # noqa: E402

SPACE = "cosine"  # Chroma's own default is squared Euclidean distance, "l2"


def quiet() -> Settings:
    """Settings of a client that reports nothing to anybody. New ones at every call, since Chroma writes into them."""
    return Settings(anonymized_telemetry=False)


def chroma_client(path: str | Path | None = None, *, fresh: bool = False):
    """A Chroma client that keeps its collections in a folder, or in memory where there is no path.

    A relative path lies below ``data/cache/``: "19_my_lesson/films". fresh: begin with an empty folder; deleting collections
    would leave their index files behind (7 MB for the encyclopedia). Older clients of this folder are closed. Each client in
    memory has a database of its own; those of ``chromadb.EphemeralClient()`` all share one.

    Raises NotADirectoryError where the path is a file, ValueError where the database in it is damaged, or where fresh is asked
    for a folder that holds something else. A folder that does not exist is no error: Chroma begins an empty database in it.
    """
    if path is None:
        database = f"memory-{uuid4().hex}"
        chromadb.AdminClient(quiet()).create_database(database)
        return chromadb.EphemeralClient(quiet(), database=database)
    folder = (datasets.CACHE / path).resolve()  # an absolute path stays what it is
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(
            f"Chroma keeps a database in a folder, but {folder.name} is a file: give another path."
        )
    if fresh:
        _remove(folder)
    folder.mkdir(parents=True, exist_ok=True)
    systems = SharedSystemClient._identifier_to_system  # Chroma's own list of what this process has open
    is_open = str(folder) in systems
    try:
        client = chromadb.PersistentClient(str(folder), quiet())
    except Exception as error:  # of several kinds, where the database cannot be read
        if is_open:
            raise
        systems.pop(str(folder), None)  # the half-started client would be handed out again
        raise ValueError(
            f"The database in {folder.name} cannot be opened ({str(error):.120}). A vector index can be made anew from its "
            "documents: chroma_client(path, fresh=True) begins with an empty folder."
        ) from error
    _opened.setdefault(folder, []).append(client)
    return client


_opened: dict[Path, list] = {}


def _remove(folder: Path) -> None:
    """Delete a database's folder, after closing this process's clients of it (Windows does not delete open files)."""
    for client in _opened.pop(folder, []):
        client.close()
    if folder.exists() and any(folder.iterdir()) and not (folder / "chroma.sqlite3").exists():
        raise ValueError(f"{folder.name} holds something that is no Chroma database: it will not be emptied.")
    shutil.rmtree(folder, ignore_errors=not folder.exists())


@register_embedding_function
class CourseEmbedding(EmbeddingFunction):
    """``helpers.encoder.embed`` as Chroma wants it: called with texts, it gives unit vectors (n, 384); it downloads nothing.

    Chroma keeps ``name()`` and ``get_config()`` beside the collection, and rebuilds the function from them in any process that
    has imported this module. Of a function that it is handed, it compares the name and nothing else. So the checksum of the
    model's weights stands in the configuration, and ``build_from_config`` and ``open_collection`` compare it.

    cache: whether ``embed`` keeps the vectors of 64 texts and more on disk.
    """

    def __init__(self, cache: bool = True):
        self.cache = cache

    def __call__(self, input: Sequence[str]) -> np.ndarray:  # noqa: A002 (Chroma demands this name)
        return encoder.embed(list(input), cache=self.cache, precision="float32", progress=False)

    @staticmethod
    def name() -> str:
        return "course-encoder"

    def get_config(self) -> dict[str, str]:
        return {"model": encoder.HUB_MODEL or "all-MiniLM-L6-v2", "weights_sha256": model_checksum()}

    @staticmethod
    def build_from_config(config: dict[str, str]) -> "CourseEmbedding":
        CourseEmbedding.validate_config(config)
        return CourseEmbedding()

    @staticmethod
    def validate_config(config: dict[str, str]) -> None:
        """Raise ValueError where the configuration is of another model than the one that would encode here."""
        ours = CourseEmbedding().get_config()
        if config.get("weights_sha256") != ours["weights_sha256"]:
            raise ValueError(
                f"The vectors were made by {config.get('model')} (weights {str(config.get('weights_sha256')):.12}…), but here "
                f"texts would be encoded by {ours['model']} (weights {ours['weights_sha256']:.12}…). Distances between two "
                "models mean nothing: use the old model, or encode all documents anew."
            )

    def default_space(self) -> str:
        return SPACE

    def supported_spaces(self) -> list[str]:
        return ["cosine", "l2", "ip"]  # on unit vectors all three rank alike


def model_checksum() -> str:
    """SHA-256 of the weights that ``embed`` uses: the file's (checked on load), or of a model named by COURSE_ENCODER."""
    return _checksum_of_state() if encoder.HUB_MODEL else encoder.WEIGHTS_SHA256


@functools.cache
def _checksum_of_state() -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(encoder.load_encoder().state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def create_collection(client, name: str, *, metadata: dict | None = None, **hnsw):
    """A new, empty collection with cosine distance and our embedding function; an older one of this name is deleted.

    hnsw: Chroma's index settings, as ``ef_construction=200, max_neighbors=32, ef_search=200, sync_threshold=10_000``.
    Raises ValueError for a setting that Chroma does not know or does not keep.
    """
    if name in (collection.name for collection in client.list_collections()):
        client.delete_collection(name)
    asked = {"space": SPACE, **hnsw}
    collection = client.create_collection(
        name, embedding_function=CourseEmbedding(), configuration={"hnsw": asked}, metadata=metadata
    )
    check_settings(collection, **asked)
    return collection


def open_collection(client, name: str, space: str = SPACE):
    """A collection that is there already, after a check of its distance and its model.

    Raises ValueError where there is none of this name (and says which there are), where its distance is not the one asked
    for, or where its vectors were made by another embedding function or another model.
    """
    try:
        collection = client.get_collection(name, embedding_function=None)
    except NotFoundError:
        names = sorted(collection.name for collection in client.list_collections())
        there = "there is " + ", ".join(names) if names else "it is empty: is the path right?"
        raise ValueError(f"There is no collection {name!r} in this database ({there}).") from None
    check_settings(collection, space=space)
    kept = collection.configuration_json["embedding_function"]
    if kept.get("name") != CourseEmbedding.name():
        function = (
            f"with the embedding function {kept['name']!r}" if "name" in kept else "without any embedding function"
        )
        raise ValueError(
            f"The collection {name!r} was made {function}, not with {CourseEmbedding.name()!r}: open it with its own, or "
            "encode its documents anew."
        )
    CourseEmbedding.validate_config(kept["config"])
    return client.get_collection(name, embedding_function=CourseEmbedding())


def check_settings(collection, **asked) -> None:
    """Read a collection's index settings back and compare: a misspelt part of a configuration is dropped without a word.

    Raises ValueError that names the setting, as it was asked for and as it is.
    """
    kept = collection.configuration_json["hnsw"]
    for setting, value in asked.items():
        if kept.get(setting) != value:
            raise ValueError(
                f"The collection {collection.name!r} has {setting} = {kept.get(setting)!r}, not {value!r}. Settings are given "
                'once, when a collection is made, as configuration={"hnsw": {…}}; to change this one, make it anew.'
            )


def add_in_batches(
    collection, ids, *, documents=None, embeddings=None, metadatas=None, batch_size=500, description=None
):
    """Upsert records in batches, with a progress bar; what is there already is written over, so it may run twice.

    ids: n texts. documents, embeddings (n, d) and metadatas: n of each, or None; documents without embeddings are encoded by
    the collection's function. batch_size: Chroma takes at most ``client.get_max_batch_size()``.

    Raises ValueError, before anything is written, where lengths differ, an id stands there twice, or a vector has no direction.
    """
    ids = list(ids)
    columns = {"documents": documents, "embeddings": embeddings, "metadatas": metadatas}
    columns = {what: list(values) for what, values in columns.items() if values is not None}
    _check_records(ids, columns)
    with ProgressBar(len(ids), description or f"Writing {len(ids):,} records") as bar:
        for start in range(0, len(ids), batch_size):
            part = slice(start, start + batch_size)
            collection.upsert(ids[part], **{what: values[part] for what, values in columns.items()})
            bar.update(len(ids[part]))


def _check_records(ids: list[str], columns: dict[str, list]) -> None:
    """All records before the first is written, so that an error leaves nothing half done."""
    if not {"documents", "embeddings"} & set(columns):
        raise ValueError("There are neither documents nor embeddings: nothing to find a record by.")
    for what, values in columns.items():
        if len(values) != len(ids):
            raise ValueError(f"There are {len(ids)} ids, but {len(values)} {what}: one of each per record.")
    twice, times = Counter(ids).most_common(1)[0] if ids else ("", 0)
    if times > 1:
        raise ValueError(f"The id {twice!r} stands there twice: the second record would write over the first.")
    for name, vector in zip(ids, columns.get("embeddings", []), strict=False):
        if not np.isfinite(vector).all() or not np.any(vector):
            what = "zeros, which has no direction" if np.isfinite(vector).all() else "NaN or infinity in it"
            raise ValueError(f"Record {name!r} has a vector of {what}: look at how it was made.")
