"""What the pages say is so: code is run, and the tests they name exist."""

import ast
import doctest
import importlib.util
import re
import textwrap
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose
from pages import compiled, cython_of
from scipy.optimize import minimize
from sklearn.datasets import load_diabetes
from sklearn.utils._param_validation import StrOptions
from sklearn_gd._core.losses import LOSSES

import sklearn_gd
from sklearn_gd import GDRegressor
from sklearn_gd._solver import SOLVERS

ROOT = Path(sklearn_gd.__file__).parents[1]
TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs"
PAGE = DOCS / "add_a_loss.rst"
# Without what Sphinx-Gallery writes: sphinx-build runs the examples.
PAGES = {
    str(path.relative_to(DOCS)): path.read_text(encoding="utf-8")
    for path in sorted(DOCS.rglob("*.rst"))
    if "gallery" not in path.parts and not path.name.startswith("sg_")
}


def python_of(text):
    """Return the blocks of Python of a page, which are one session."""
    block = (
        r"^( *)\.\. (?:plot::|code-block:: (?:python|pycon))\n((?:\1 +\S.*\n|\s*\n)*)"
    )
    found = [
        textwrap.dedent(match[2]) for match in re.finditer(block, text, re.MULTILINE)
    ]
    # Options of the directive come before the first empty line.
    return [code.partition("\n\n")[2] if code[0] == ":" else code for code in found]


@pytest.fixture(scope="module")
def pseudo_huber(tmp_path_factory):
    """The class of the page, compiled."""
    code = cython_of(PAGE.read_text(encoding="utf-8"))
    folder = tmp_path_factory.mktemp("loss")
    return compiled("pseudo_huber", code, folder).PseudoHuber


@pytest.fixture
def registered(pseudo_huber, monkeypatch):
    monkeypatch.setitem(LOSSES, "pseudo_huber", pseudo_huber)
    # Made from LOSSES when the package is imported.
    constraints = GDRegressor._parameter_constraints
    monkeypatch.setitem(constraints, "loss", [StrOptions(set(LOSSES))])


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_loss_of_the_page_works_with_every_solver(solver, registered):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = X @ [1.0, -2.0, 3.0, 0.0] + rng.standard_t(2, size=200) + 5.0

    def F(w):
        z = (X @ w[:4] + w[4] - y) / 1.5
        return np.mean(1.5**2 * (np.sqrt(1 + z**2) - 1)) + 0.05 * w[:4] @ w[:4]

    best = minimize(F, np.append(np.zeros(4), 5.0), tol=1e-12).fun
    model = GDRegressor(
        solver, loss="pseudo_huber", epsilon=1.5, alpha=0.1, random_state=0
    ).fit(X, y)
    found = F(np.append(model.coef_, model.intercept_))
    assert_allclose(model.loss_, found, rtol=1e-10)
    assert found - best <= 1e-3 * (model.loss_curve_[0] - best)
    automatic = GDRegressor(solver, loss="pseudo_huber", random_state=0).fit(X, y)
    assert 0.5 < automatic.epsilon_ < 5.0


def test_its_derivatives_are_right(pseudo_huber):
    loss = pseudo_huber(0.7)
    y, f, h = np.zeros(9), np.linspace(-3.0, 3.0, 9), 1e-5
    value = np.array([loss.at(0.0, x)[0] for x in f])
    above = np.array([loss.at(0.0, x + h) for x in f])
    below = np.array([loss.at(0.0, x - h) for x in f])
    slopes = np.array([loss.at(0.0, x)[1] for x in f])
    assert (value >= 0.0).all()
    assert_allclose((above - below)[:, 0] / (2 * h), slopes, atol=1e-9)
    assert_allclose((above - below)[:, 1] / (2 * h), loss.seconds(y, f), atol=1e-9)


def test_every_guarantee_names_tests_that_exist():
    text = (DOCS / "guarantees.rst").read_text(encoding="utf-8")
    promises = text.split("   * - ")[1:]
    assert len(promises) > 30
    for promise in promises:
        assert re.search(r"``(test_\w+\.py::test_\w+|\.ci/\w+)``", promise), promise
    named = re.findall(r"``(test_\w+\.py)::(test_\w+)``", text)
    for file, name in named:
        tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in ast.walk(tree) if hasattr(node, "name")}


@pytest.mark.parametrize("name", [name for name in PAGES if python_of(PAGES[name])])
def test_the_code_of_the_page_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # pages may write files
    session = {"__name__": "__main__"}
    for code in python_of(PAGES[name]):
        if ">>>" in code:
            shown = doctest.DocTestParser().get_doctest(code, session, name, name, 0)
            assert doctest.DocTestRunner().run(shown, clear_globs=False).failed == 0
            session = shown.globs
        else:
            exec(compile(code, name, "exec"), session)
    plt.close("all")


def test_the_start_page_has_the_commands_of_the_readme():
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^python3 -m venv .*$", readme, re.MULTILINE)
    assert re.findall(
        r"^ +(python3 -m venv .*)$", PAGES["index.rst"], re.MULTILINE
    ) == (commands)


@pytest.mark.parametrize("name", PAGES)
def test_python_stands_in_blocks_that_are_run(name):
    run = "\n".join(python_of(PAGES[name]))
    imports = r"^ +(?:>>> )?(import \w.*|from [\w.]+ import .*)$"
    for line in re.findall(imports, PAGES[name], re.MULTILINE):
        assert line in run


@pytest.mark.parametrize("name", PAGES)
def test_the_page_names_files_that_exist(name):
    files = r"(?<![\w/])((?:tests|examples|docs)/[\w/]+\.(?:py|rst)|\.ci/\w+(?:\.\w+)?)"
    for path in re.findall(files, PAGES[name]):
        assert (DOCS.parent / path).exists(), path


def test_what_check_finds(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    check = importlib.import_module("check")
    (tmp_path / "sub").mkdir()
    (tmp_path / "gallery.xml").write_text(
        '<testsuite><testcase file="a.py" time="59"/><testcase file="b.py" time="61"/>'
        "</testsuite>"
    )
    (tmp_path / "style.css").write_text(
        "@font-face {src: url(none.woff)} a {src: url('index.html')}"
        "p {background: url(data:image/png;base64,AA==) url(https://cdn.org/p.png)}"
    )
    (tmp_path / "index.html").write_text(
        '<link href="style.css"><a href="sub/a%20b.html#here">good</a><a href="#"></a>'
        '<a href="https://doi.org/1">away</a><a href="sub/a%20b.html#nowhere">bad</a>'
        '<a href="none.html">bad</a><img src="none.png" srcset="none2.png 2x">'
    )
    (tmp_path / "sub" / "a b.html").write_text(
        '<p id="here"><a href="../index.html">up</a>'
        '<script src="https://cdn.org/x.js"></script><link href="//cdn.org/y.css">'
    )
    assert list(check.problems(tmp_path)) == [
        "index.html: none.html leads nowhere",
        "index.html: none.png leads nowhere",
        "index.html: none2.png leads nowhere",
        "index.html: sub/a%20b.html#nowhere leads nowhere",
        "sub/a b.html: //cdn.org/y.css comes from the network",
        "sub/a b.html: https://cdn.org/x.js comes from the network",
        "style.css: none.woff leads nowhere",
        "style.css: https://cdn.org/p.png comes from the network",
        "GDRegressor links to api.html#sklearn_gd.GDRegressor, which leads nowhere",
        "b.py takes 61 s",
    ]


def test_the_solvers_on_a_raw_table_are_as_the_page_has_them():
    text = (DOCS / "unscaled_data.rst").read_text(encoding="utf-8")
    rows = re.findall(r"^(\w+) +(0\.\d{3})  (yes|no)$", text, re.MULTILINE)
    assert {solver for solver, _, _ in rows} == set(SOLVERS)
    X, y = load_diabetes(return_X_y=True, scaled=False)
    for solver, r2, warns in rows:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = GDRegressor(solver, random_state=0).fit(X, y)
        assert_allclose(model.score(X, y), float(r2), atol=2e-3)
        assert bool(caught) == (warns == "yes")
