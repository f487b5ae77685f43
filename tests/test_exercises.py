"""An exercise's check prints one stable line, and nothing that a learner writes stops a run."""

import math
import sys
import warnings

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell

from helpers.exercises import exercise


@exercise("2.1")
def check_idf(idf):
    """A docstring."""
    assert idf(1, 1000) > idf(500, 1000), "a rarer word must weigh more\nand this is more than the first line"
    assert np.isclose(idf(10, 1000), math.log(100)), "it is the natural logarithm of n / df"


@exercise("2.2")
def check_share(share):
    assert 0.05 < share < 0.1, "look at the title of the map"


def idf_solution(document_frequency, n_documents):
    return math.log(n_documents / document_frequency)


def verdict(capsys, check, *candidate, **options):
    assert check(*candidate, **options) is None
    out, err = capsys.readouterr()
    assert err == "" and out.count("\n") == 1 and out.endswith("\n")
    return out[:-1]


def raising(error):
    def candidate(*_):
        raise error

    return candidate


def endless(*_):
    return endless()


@pytest.mark.parametrize(("candidate", "line"), [
    (raising(NotImplementedError("your turn")), "⬜ 2.1 your turn"),
    (None, "⬜ 2.1 your turn"),
    (idf_solution, "✅ 2.1 (worked solution)"),
    (lambda df, n: math.log(n / df), "✅ 2.1"),
    (lambda df, n: np.float32(np.log(n / df)), "✅ 2.1"),
    (lambda df, n: math.log(df / n), "❌ 2.1 a rarer word must weigh more"),
    (lambda df, n: math.log2(n / df), "❌ 2.1 it is the natural logarithm of n / df"),
    (lambda df, n: None, "❌ 2.1 your function returned nothing (None): is a `return` missing?"),
    (lambda df, n: 1 / 0, "❌ 2.1 your function raised ZeroDivisionError: division by zero"),
    (raising(NotImplementedError("sparse")), "❌ 2.1 your function raised NotImplementedError: sparse"),
    (raising(NotImplementedError()), "❌ 2.1 your function raised NotImplementedError"),
    (raising(AssertionError("df < n")), "❌ 2.1 your function raised AssertionError: df < n"),
    (raising(ValueError("one\ntwo")), "❌ 2.1 your function raised ValueError: one"),
    (raising(SystemExit(1)), "❌ 2.1 your function raised SystemExit: 1"),
    (endless, "❌ 2.1 your function raised RecursionError: it calls itself without end"),
    (lambda df: df, "❌ 2.1 your function raised TypeError: <lambda>() takes 1 positional argument but 2 were given"),
    (lambda df, n: n / df * np.ones(2), "❌ 2.1 your answer does not fit the check, which raised ValueError: The truth "
     "value of an array with more than one element is ambiguous. Use a.any() or a.all()"),
    (3, "❌ 2.1 your answer does not fit the check, which raised TypeError: 'int' object is not callable"),
])  # fmt: skip
def test_one_line_for_every_candidate(candidate, line, capsys):
    assert verdict(capsys, check_idf, candidate) == line


@pytest.mark.parametrize(("share", "options", "line"), [
    (None, {}, "⬜ 2.2 your turn"),
    (0.07, {}, "✅ 2.2"),
    (np.float64(0.07), {}, "✅ 2.2"),
    (0.07, {"worked": True}, "✅ 2.2 (worked solution)"),
    (7, {}, "❌ 2.2 look at the title of the map"),
])  # fmt: skip
def test_values_can_be_asked_for(share, options, line, capsys):
    assert verdict(capsys, check_share, share, **options) == line


def test_the_check_keeps_its_name_and_docstring():
    assert (check_idf.__name__, check_idf.__doc__) == ("check_idf", "A docstring.")


def test_a_class_can_be_asked_for(capsys):
    @exercise("13.1")
    def check_engine(engine):
        assert engine().search("x") == [], "an empty engine finds nothing"

    class Engine:
        def search(self, query):
            return [query]

    assert verdict(capsys, check_engine, Engine) == "❌ 13.1 an empty engine finds nothing"
    Engine.search = lambda self, query: missing(query)  # noqa: F821
    assert verdict(capsys, check_engine, Engine) == "❌ 13.1 your code raised NameError: name 'missing' is not defined"


def test_several_candidates_can_be_asked_for(capsys):
    @exercise("2.3")
    def check_both(encode, decode):
        assert decode(encode("a")) == "a", "decode undoes encode"

    assert verdict(capsys, check_both, str.upper, None) == "⬜ 2.3 your turn"
    assert verdict(capsys, check_both, str.upper, str.lower) == "✅ 2.3"


def test_hints_are_the_same_on_every_run(capsys):
    @exercise("2.4")
    def check_hint(message):
        raise AssertionError(message)  # as `assert` does, which pytest rewrites here

    assert verdict(capsys, check_hint, f"{object()} is wrong") == "❌ 2.4 <object object> is wrong"
    assert verdict(capsys, check_hint, np.eye(2)) == "❌ 2.4 [[1. 0.] [0. 1.]]"
    assert verdict(capsys, check_hint, "\n\n  third line is the first with words") == (
        "❌ 2.4 third line is the first with words"
    )
    assert len(verdict(capsys, check_hint, "word " * 1000)) < 220


def test_warnings_of_a_candidate_stay_silent(capsys):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        verdict(capsys, check_idf, lambda df, n: np.log(np.zeros(1) - n)[0])
    assert caught == []


def test_ctrl_c_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt):
        check_idf(raising(KeyboardInterrupt()))


def test_an_assert_without_a_hint_shows_its_source(capsys):
    """In a notebook, that is; pytest rewrites the asserts of this file."""
    shell = InteractiveShell.instance()
    result = shell.run_cell("""
from helpers.exercises import exercise
@exercise("2.5")
def check(idf):
    assert idf(10, 1000) > 0
    assert (idf(1, 1000)
            > idf(500, 1000))
check(lambda df, n: -1); check(lambda df, n: 1)
""")
    InteractiveShell.clear_instance()
    assert result.success
    assert capsys.readouterr().out.splitlines() == [
        "❌ 2.5 this does not hold: assert idf(10, 1000) > 0",
        "❌ 2.5 this does not hold: assert (idf(1, 1000) > idf(500, 1000))",
    ]


def test_an_assert_without_a_hint_or_source(capsys):
    namespace = {"exercise": exercise}
    exec("@exercise('2.6')\ndef check(x):\n    assert x == 1", namespace)
    assert verdict(capsys, namespace["check"], 2) == "❌ 2.6 this does not hold: an assert without a hint"


def test_a_deep_recursion_leaves_the_limit_alone(capsys):
    limit = sys.getrecursionlimit()
    verdict(capsys, check_idf, endless)
    assert sys.getrecursionlimit() == limit


@pytest.mark.parametrize("number", [2.1, "2", "two", "2.1 ", None, len])
def test_a_number_must_look_like_one(number):
    with pytest.raises(ValueError, match='@exercise\\("2.1"\\)'):
        exercise(number)
