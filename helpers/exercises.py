"""Exercises that check themselves.

A check is a function of plain asserts that takes the learner's candidate:

    @exercise("2.1")
    def check_idf(idf):
        assert idf(1, 1000) > idf(500, 1000), "a rarer word must weigh more"

    check_idf(idf)                                # ⬜ 2.1 your turn
    check_idf(lambda df, n: df / n)               # ❌ 2.1 a rarer word must weigh more
    check_idf(idf_solution)                       # ✅ 2.1 (worked solution)

Where the answer is a value and not a function, the learner's cell says `answer = None`, and a
worked solution is announced as such: `check_claim(0.05, worked=True)`.
"""

import ast
import functools
import inspect
import linecache
import re
import textwrap
import traceback
import warnings

YOUR_TURN = "your turn"
LONGEST_HINT = 200
NOTHING_RETURNED = "your function returned nothing (None): is a `return` missing?"


def exercise(number):
    """Turn a check of plain asserts into one that prints a single line and never stops a run.

    number: the exercise's number as text, lesson and place: "2.1" → decorator.

    The decorated check takes the candidate (a function, a class, a value), prints one line that
    begins with ⬜, ❌ or ✅ and the number, and returns None. ⬜ means: still to be done, that is,
    the candidate is None or raises `NotImplementedError("your turn")`. `worked=True` marks a
    value as the worked solution; a function is recognised by its name's ending, `_solution`.

    Raises ValueError if the number does not look like "2.1".
    """
    if not isinstance(number, str) or not re.fullmatch(r"\d{1,2}\.\d{1,2}", number):
        raise ValueError(f'an exercise needs its number as text, as in @exercise("2.1"), not {number!r}')

    def decorate(check):
        @functools.wraps(check)
        def run(*candidates, worked=False):
            worked = worked or any(_name(candidate).endswith("_solution") for candidate in candidates)
            print(_verdict(number, check, candidates, worked))

        return run

    return decorate


def _verdict(number, check, candidates, worked):
    """The line to print."""
    if any(candidate is None or candidate is ... for candidate in candidates):
        return f"⬜ {number} {YOUR_TURN}"
    candidates = [_watched(candidate) if inspect.isfunction(candidate) else candidate for candidate in candidates]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(*candidates)
    except (Exception, SystemExit) as error:
        if isinstance(error, NotImplementedError) and str(error).strip() == YOUR_TURN:
            return f"⬜ {number} {YOUR_TURN}"
        return f"❌ {number} {_hint(error, check, candidates)}"
    return f"✅ {number} (worked solution)" if worked else f"✅ {number}"


def _watched(function):
    """The same function, remembering of its calls what it raised and whether it returned None."""

    @functools.wraps(function)
    def watched(*args, **kwargs):
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            watched.raised.append(error)
            raise
        watched.returned_none.append(result is None)
        return result

    watched.raised, watched.returned_none = [], []
    return watched


def _hint(error, check, candidates):
    """What went wrong, in one line that is the same on every run and machine."""
    functions = [candidate for candidate in candidates if inspect.isfunction(candidate)]
    if any(raised is error for function in functions for raised in function.raised):
        return f"your function {_raised(error)}"
    returned_nothing = any(function.returned_none and all(function.returned_none) for function in functions)
    if isinstance(error, AssertionError):
        message = _one_line(error.args[0]) if error.args else ""
        if message:
            return f"{message} ({NOTHING_RETURNED})" if returned_nothing else message
        return NOTHING_RETURNED if returned_nothing else f"this does not hold: {_failing_assert(error, check)}"
    if returned_nothing:
        return NOTHING_RETURNED
    if any(callable(candidate) for candidate in candidates) and not _raised_in(error, check):
        return f"your code {_raised(error)}"
    return f"your answer does not fit the check, which {_raised(error)}"


def _raised(error):
    """'raised TypeError: …', for an exception that is no hint of ours."""
    if isinstance(error, RecursionError):
        return "raised RecursionError: it calls itself without end"
    return f"raised {type(error).__name__}: {_one_line(error)}".removesuffix(": ")


def _raised_in(error, function):
    """Whether the exception arose in the function's own lines."""
    return traceback.extract_tb(error.__traceback__)[-1].name == function.__name__


def _one_line(message):
    """The first line of a hint; a value that is not text (an array, say) is written on one line."""
    text = str(message)
    if isinstance(message, (str, Exception)):
        text = next((line for line in text.splitlines() if line.strip()), "")
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", text)  # addresses differ from run to run
    return textwrap.shorten(" ".join(text.split()), LONGEST_HINT, placeholder=" …")


def _failing_assert(error, check):
    """The source of the assert that failed, on one line."""
    frames = traceback.extract_tb(error.__traceback__)
    own_file = inspect.getfile(check)
    frame = next((frame for frame in reversed(frames) if frame.filename == own_file), frames[-1])
    source = "".join(linecache.getlines(frame.filename))
    try:
        asserts = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assert)]
        failed = next(node for node in asserts if node.lineno <= frame.lineno <= node.end_lineno)
        return _one_line(" ".join(ast.get_source_segment(source, failed).split()))
    except (SyntaxError, StopIteration):  # no source at hand, or a line that is no assert
        return _one_line(frame.line or "an assert without a hint")


def _name(candidate):
    return getattr(candidate, "__name__", "") if callable(candidate) else ""
