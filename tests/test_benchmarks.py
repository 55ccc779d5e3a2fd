"""The benchmarks' arithmetic and targets. Nothing is timed here."""

import importlib
import re
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "docs" / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module


@pytest.fixture
def fake(load):
    harness = load("harness")

    def contender(times, log=None, name=None, **options):
        remaining = iter(times)

        def call():
            if log is not None:
                log.append(name)
            return next(remaining)

        return harness.Number(call, "ms", **options)

    return contender


def compared(harness, ours, peer, bound):
    case = harness.Case("case", lambda _: {"a": ours, "b": peer}, [("a", "b", bound)])
    (row,) = harness.run([case], quick=True)
    return row


def test_contenders_take_turns(load, fake):
    log = []
    contenders = {
        name: fake([1, 1], log, name, rounds=rounds)
        for name, rounds in (("a", 2), ("b", 2), ("once", 1))
    }
    numbers = load("harness").measure(contenders, 2)
    assert log == ["a", "b", "once", "a", "b"]
    assert numbers == {"a": [(1,), (1,)], "b": [(1,), (1,)], "once": [(1,)]}


@pytest.mark.parametrize(
    ("bound", "ratio", "low", "high", "met"),
    [
        ("≥ 2.5", 2.5, 0.5, 4.0, True),
        ("≥ 2.6", 2.5, 0.5, 4.0, False),
        ("≤ 0.4", 0.4, 0.25, 2.0, True),
        ("≤ 0.39", 0.4, 0.25, 2.0, False),
        (None, 2.5, 0.5, 4.0, None),
    ],
)
def test_ratio_of_minima_and_of_rounds(load, fake, bound, ratio, low, high, met):
    row = compared(load("harness"), fake([4, 2, 12]), fake([16, 5, 6]), bound)
    assert (row.ratio, row.low, row.high, row.met) == (ratio, low, high, met)
    word = {True: "yes", False: "NO", None: ""}[met]
    shown = load("harness").cells(row)
    assert shown[load("harness").HEADER.index("met")] == word
    assert len(shown) == len(load("harness").HEADER)


def test_time_of_an_epoch(load):
    harness = load("harness")
    # 10 to begin with and 3 an epoch, each call disturbed once.
    more = 10 + 3 * (1 + harness.EPOCHS)
    rounds = [(13, more + 5), (20, more)]
    assert harness.Epoch.value(harness.minima(rounds)) == 3


def test_only_ours_are_timed_for_base_and_head(load, fake):
    harness = load("harness")
    case = harness.Case(
        "case", lambda _: {"a": fake([3, 1, 2], ours=True), "b": fake([])}, []
    )
    assert harness.run_ours([case]) == {"case: a": 1}


def test_slower_is_told_from_noise(load, monkeypatch):
    run = load("run")
    first, again = {"x": 1.3, "y": 1.05, "z": 1.3}, {"x": 1.2, "z": 1.0}
    measured = {
        "base": iter([{"x": 1.0, "y": 1.0, "z": 1.0}] * 10),
        "head": iter([first] * 5 + [again] * 5),
    }
    monkeypatch.setattr(run, "times", lambda python, *_: next(measured[python]))
    assert run.base_against_head("base", "head", ["small"], quick=True) == ["x"]


def test_a_head_that_fails_is_not_passed(load, monkeypatch):
    run = load("run")
    measured = {"base": {"x": 1.0}, "head": {}}
    monkeypatch.setattr(run, "times", lambda python, *_: measured[python])
    assert run.base_against_head("base", "head", ["small"], quick=True) == ["small"]
    assert run.base_against_head("head", "base", ["small"], quick=True) == []


def test_every_case_has_a_target(load):
    run, seen = load("run"), set()
    for script in run.SCRIPTS:
        for case in load(script).CASES:
            assert (script, case.name) not in seen
            seen.add((script, case.name))
            bounds = [bound for _, _, bound in case.targets if bound]
            assert bounds, (script, case.name)
            assert all(re.fullmatch(r"[≥≤] \d+(\.\d+)?", bound) for bound in bounds)
    scripts = {path.stem for path in BENCHMARKS.glob("*.py")}
    assert scripts == {
        "harness",
        "run",
        "scaling",
        "files",
        "clusters",
        "mixing",
        *run.SCRIPTS,
    }


def test_the_page_has_the_table_and_no_paths(load, fake):
    row = compared(load("harness"), fake([1, 1, 1]), fake([2, 2, 2]), "≥ 2")
    page = load("run").page({"small": [row]})
    assert '"case","a","b","2.00","2.00 … 2.00","≥ 2","yes","1 / 2 ms",""' in page
    assert str(BENCHMARKS) not in page
