"""The rule of docs/add_a_rule.rst is compiled as it stands there, and fitted."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
import textbook
from numpy.testing import assert_allclose
from pages import ROOT, code_of, compiled, cython_of
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import StrOptions
from tables import noisy, standardised

from sklearn_gd import GDRegressor
from sklearn_gd._solver import SOLVERS, Solver

PAGE = (Path(__file__).parents[1] / "docs" / "add_a_rule.rst").read_text("utf-8")
HEAD = """\
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
cimport cython
import numpy as np
from sklearn_gd._core.rules cimport Rule
"""


@pytest.fixture(scope="module")
def nesterov(tmp_path_factory):
    """The class of the page, compiled with the package's loop over coefficients."""
    rules = (ROOT / "sklearn_gd" / "_core" / "rules.pyx").read_text(encoding="utf-8")
    loop = r"^cdef inline double moved_to\(.*?(?=^(?:@|ctypedef fused))"
    move = re.search(loop, rules, re.M | re.S).group()
    code = HEAD + cython_of(PAGE) + move.replace("AnyRule", "Nesterov")
    return compiled("nesterov", code, tmp_path_factory.mktemp("rule")).Nesterov


@pytest.fixture(autouse=True)
def registered(nesterov, monkeypatch):
    """The two additions of the page: to SOLVERS, and to the textbook's table."""
    names = {"Nesterov": nesterov, "Solver": Solver}
    entry = code_of(PAGE, r"\n( +\"nesterov\": Solver.*\n)")
    for name, solver in eval(f"{{{entry}}}", names).items():
        monkeypatch.setitem(SOLVERS, name, solver)
    # Made from SOLVERS when the package is imported.
    constraints = GDRegressor._parameter_constraints
    monkeypatch.setitem(constraints, "solver", [StrOptions(set(SOLVERS))])
    step = code_of(PAGE, r"\n( +if solver == \"nesterov\":\n(?: +.*\n)+)")
    known = textbook.rule_step
    body = textwrap.indent(step, "    ")
    arguments = "solver, w, g, state, eta, momentum=0.9"
    exec(f"def rule_step({arguments}):\n{body}", found := {"known": known})
    monkeypatch.setattr(textbook, "rule_step", found["rule_step"])


@pytest.mark.parametrize("batch", [None, 7])
def test_its_iterates_are_the_textbooks(batch):
    X, y = noisy(n=60)
    given = {"momentum": 0.8, "batch": batch, "s": 1.0 + np.arange(60.0), "alpha": 0.1}
    w, b = textbook.fit("nesterov", X, y, eta=0.02, epochs=20, **given)
    for table in (X, csr_matrix(X)):
        model = GDRegressor(
            "nesterov",
            learning_rate=0.02,
            momentum=0.8,
            batch_size=batch,
            alpha=0.1,
            max_iter=20,
            tol=None,
            shuffle=False,
        ).fit(table, y, 1.0 + np.arange(60.0))
        assert_allclose(model.coef_, w, rtol=1e-10)
        assert_allclose(model.intercept_, b, rtol=1e-10)


def test_partial_fit_goes_on_where_fit_would():
    X, y = noisy()
    given = {"learning_rate": 0.01, "batch_size": 16, "random_state": 0}
    model = GDRegressor("nesterov", **given)
    for _ in range(3):
        model.partial_fit(X, y)
    whole = GDRegressor("nesterov", max_iter=3, tol=None, **given).fit(X, y)
    assert_allclose(model.coef_, whole.coef_, rtol=1e-12)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"loss": "huber"},
        {"loss": "absolute_error"},
        {"batch_size": 16, "random_state": 0},
        {"penalty": "l1", "alpha": 2.0},
        {"positive": True},
    ],
)
# The last digits of a kink take more than 1000 iterations.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_automatic_steps_come_where_momentum_comes(parameters):
    X, y = standardised("diabetes")
    ours = GDRegressor("nesterov", **parameters).fit(X, y)
    other = GDRegressor("momentum", max_iter=5000, tol=1e-6, **parameters).fit(X, y)
    assert ours.loss_ - other.loss_ <= 2e-3 * (ours.loss_curve_[0] - other.loss_)
    zeros = other.coef_ == 0.0
    assert (ours.coef_[zeros] == 0.0).all()


def test_its_largest_step_is_the_largest():
    X, y = standardised("diabetes")
    L = GDRegressor("momentum").fit(X, y).curvature_[1]
    largest = 2.0 * 1.9 / (1.0 + 2.0 * 0.9) / L
    given = {"momentum": 0.9, "max_iter": 2000, "tol": None}
    model = GDRegressor("nesterov", learning_rate=0.99 * largest, **given).fit(X, y)
    assert model.loss_ < model.loss_curve_[0]
    longer = GDRegressor("nesterov", learning_rate=1.01 * largest, **given)
    with pytest.warns(ConvergenceWarning, match="largest stable step"):
        longer.fit(X, y)
