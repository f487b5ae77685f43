"""An extractive answerer: it quotes sentences of the numbered passages in a prompt, or says that they hold no answer.

It is no language model: it cannot sum up, reason, obey or invent. What it says is a quotation or one of three fixed
sentences. The prompt it reads looks like this (passages and question may stand in one message or in several):

    Answer from the passages only, and cite them.

    [1] (Aardvark#003) The aardvark is a medium-sized, burrowing mammal. It is nocturnal.
    [2] Ants and termites are its food.

    Question: What does the aardvark eat?

A passage begins with its number in brackets at the start of a line, then a title or id in parentheses if there is one,
and runs to the next number, a blank line, or the question. Without "Question:" (or "Pregunta:") the question is the last
line outside of the passages that ends with a question mark, else the last paragraph outside of them.
"""

import math
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from helpers import encoder
from helpers.retrieval import stems
from helpers.spanish import is_spanish
from helpers.wikitext import split_sentences

# Chosen on the 34 English dev questions (gold passage among five): see tests/test_answerer.py, which measures them again.
RARE_WORDS = 0.1  # weight of shared rare words beside two cosines; 0, 0.2 and 0.3 were no better
# With five passages each: answers 94 % of the dev questions, refuses all with random passages, but only 21 % with near
# ones that hold no answer. There is no sharp border: up to 1.2, answers are lost about as fast as refusals are won.
THRESHOLD = 1.0
MARGIN = 0.2  # quotes what scores nearly as well: 2.5 sentences on average, 71 % hold the answer (one sentence: 59 %)
MOST_QUOTES = 3
REMEMBERED = 40_000  # vectors kept in memory, about 60 MB: prompts repeat passages

FIXED = {
    "no answer": ("The passages do not answer this question.", "Los pasajes no responden a esta pregunta."),
    "no passages": (
        "I can only quote numbered passages, and this prompt holds none.",
        "Solo puedo citar pasajes numerados, y aquí no hay ninguno.",
    ),
    "no question": ("I found no question in this prompt.", "No he encontrado ninguna pregunta."),
}

_lock = threading.Lock()
_vectors: OrderedDict[str, np.ndarray] = OrderedDict()


@dataclass(frozen=True)
class Passage:
    number: int
    title: str
    text: str


@dataclass(frozen=True)
class Answer:
    """text: the whole answer; quotes: (sentence, numbers of the passages that hold it); score: of the best sentence."""

    text: str
    quotes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    score: float = 0.0

    @property
    def refused(self) -> bool:
        return not self.quotes


def answer(messages: Sequence[dict]) -> Answer:
    """Answer the question in chat messages (dicts with ``role`` and a text as ``content``) from their passages.

    A sentence's score is its cosine with the question, plus its passage's, plus a tenth of the share of the question's
    words (weighted by their rarity in the prompt) that it holds. Below THRESHOLD the passages hold no answer.
    """
    question, passages = read_prompt(messages)
    spanish = is_spanish(question or " ".join(message["content"] for message in messages))
    if not question or not passages:
        return Answer(FIXED["no passages" if question else "no question"][spanish])
    found = [(p, sentence) for p in passages for sentence in split_sentences(p.text) if not sentence.endswith("?")]
    found = [(p, sentence) for p, sentence in found if re.search(r"\w", sentence)]
    if not found:
        return Answer(FIXED["no answer"][spanish])
    scores = _scores(question, found)
    best = float(scores.max())
    if best < THRESHOLD:
        return Answer(FIXED["no answer"][spanish], score=best)
    quotes: dict[str, list[int]] = {}
    for place in np.argsort(-scores, kind="stable"):
        passage, sentence = found[place]
        if sentence in quotes:
            quotes[sentence] += [passage.number] * (passage.number not in quotes[sentence])
        elif len(quotes) < MOST_QUOTES and scores[place] >= best - MARGIN:
            quotes[sentence] = [passage.number]
    cited = " ".join(f"“{sentence}” {''.join(f'[{n}]' for n in numbers)}" for sentence, numbers in quotes.items())
    return Answer(cited, tuple((sentence, tuple(numbers)) for sentence, numbers in quotes.items()), best)


def read_prompt(messages: Sequence[dict]) -> tuple[str, list[Passage]]:
    """The question ("" if there is none) and the passages: of the last message that has some; assistants' are not read."""
    question, passages = "", []
    for message in reversed(messages):
        if message["role"] == "assistant":
            continue
        found, asked, other = _parts(message["content"])
        passages = passages or found
        if message["role"] == "user" and not question:
            question = asked or _last_question(other)
    return question, passages


def _parts(text: str) -> tuple[list[Passage], str, list[str]]:
    """Passages, what stands behind "Question:", and the other paragraphs' lines ("" between paragraphs)."""
    passages, asked, other, into = [], [], [], None
    for line in text.splitlines():
        if mark := re.match(r"\s*\[(\d{1,4})\]\s*(?:\(([^()]*(?:\([^()]*\))?[^()]*)\)[.:]?(?=\s|$))?\s*(.*)", line):
            into = [mark[3]]
            passages.append((int(mark[1]), mark[2] or "", into))
        elif label := re.match(r"\s*(?:question|pregunta)\s*:\s*(.*)", line, re.I):
            asked = into = [label[1]]
        elif not line.strip():
            waits = into == [""] and (
                into is asked or passages[-1][1]
            )  # the label or the title stands alone on its line
            into = into if waits else None
            other.append("")
        elif into is not None:
            into.append(line.strip())
        else:
            other.append(line.strip())
    cleaned = [Passage(n, title.strip(), " ".join(" ".join(lines).split())) for n, title, lines in passages]
    return [p for p in cleaned if p.text], " ".join(asked).strip(), other


def _last_question(lines: list[str]) -> str:
    questions = [line for line in lines if line.rstrip(' "”»').endswith("?")]
    paragraphs = [p for p in "\n".join(lines).split("\n\n") if p.strip()]
    return questions[-1] if questions else " ".join(paragraphs[-1].split()) if paragraphs else ""


def _scores(question: str, found: list[tuple[Passage, str]]) -> np.ndarray:
    texts = [question] + [sentence for _, sentence in found] + [passage.text for passage, _ in found]
    vectors = _embed(texts)  # (1 + 2 n, 384)
    cosines = vectors[1:] @ vectors[0]
    asked, held = set(stems(question)), [set(stems(sentence)) for _, sentence in found]
    frequency = Counter(stem for stems_ in held for stem in stems_ & asked)
    rarity = {s: math.log(1 + (len(held) - frequency[s] + 0.5) / (frequency[s] + 0.5)) for s in sorted(asked)}
    total = sum(rarity.values()) or 1.0
    shared = np.array([sum(rarity[s] for s in sorted(stems_ & asked)) / total for stems_ in held])
    return cosines[: len(found)] + cosines[len(found) :] + RARE_WORDS * shared


def remember(texts: Sequence[str], vectors: np.ndarray) -> None:
    """Hand over unit vectors (n, d) of passages or sentences that are ready-made: answers about them then come at once."""
    with _lock:
        _vectors.update(zip(texts, vectors, strict=True))
        _forget()


def _forget() -> None:
    while len(_vectors) > REMEMBERED:
        _vectors.popitem(last=False)


def _embed(texts: list[str]) -> np.ndarray:
    """Unit vectors of the texts (n, d), each cut to what the encoder reads; remembered, since prompts repeat passages."""
    with _lock:
        model = encoder.load_encoder()
        new = [text for text in dict.fromkeys(texts) if text not in _vectors]
        if new:
            spans = model.tokenizer(new, truncation=True, max_length=model.max_seq_length, return_offsets_mapping=True)
            cut = [text[: max(end for _, end in span)] for text, span in zip(new, spans["offset_mapping"], strict=True)]
            vectors = encoder.embed(cut, precision="float32", cache=False, progress=False)
            _vectors.update(zip(new, vectors, strict=True))
        rows = np.stack([_vectors[text] for text in texts])
        for text in texts:
            _vectors.move_to_end(text)
        _forget()
        return rows
