"""Displays: what they draw is what was fitted, and the contours are F."""

import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
import tables
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import minimize_scalar
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import SGDRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gd import (
    CoefPathDisplay,
    GDRegressor,
    LossCurveDisplay,
    TrajectoryDisplay,
)
from sklearn_gd._solver import SOLVERS

matplotlib.use("Agg")
import matplotlib.pyplot as plt

plt.rcParams["figure.dpi"] = 40  # small pictures are drawn faster

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
LOSSES = {
    "squared_error": lambda r: 0.5 * r**2,
    "huber": lambda r: np.where(
        np.abs(r) <= 0.8, 0.5 * r**2, 0.8 * np.abs(r) - 0.5 * 0.8**2
    ),
    "absolute_error": np.abs,
    "quantile": lambda r: np.maximum(0.3 * r, -0.7 * r),
    "epsilon_insensitive": lambda r: np.maximum(0.0, np.abs(r) - 0.8),
    "squared_epsilon_insensitive": lambda r: np.maximum(0.0, np.abs(r) - 0.8) ** 2,
}
PENALTIES = {
    None: lambda w: 0.0,
    "l2": lambda w: 0.5 * w @ w,
    "l1": lambda w: np.abs(w).sum(),
    "elasticnet": lambda w: 0.15 * np.abs(w).sum() + 0.85 * 0.5 * w @ w,
}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    try:
        for number in plt.get_fignums():
            plt.figure(number).canvas.draw()  # Agg can render all of them
    finally:
        plt.close("all")


def fitted(solver="gd", d=3, seed=0, **parameters):
    X, y = tables.noisy(60, d, seed=seed)
    model = GDRegressor(solver, random_state=0, **{"max_iter": 30, **parameters})
    return model.fit(X, y), X, y


def labels(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


# --- loss curves ----------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_curve_is_the_loss_curve(solver):
    model, _, _ = fitted(solver)
    display = LossCurveDisplay.from_estimator(model)
    assert_array_equal(display.line_.get_ydata(), model.loss_curve_)
    assert_array_equal(display.line_.get_xdata(), np.arange(model.n_iter_ + 1))
    assert display.ax_.get_yscale() == "log"
    assert display.ax_.get_ylabel() == "F"
    stochastic = SOLVERS[solver].batch_size is not None
    assert display.ax_.get_xlabel() == ("epoch" if stochastic else "iteration")
    assert labels(display) == [solver]
    assert display.figure_ is display.ax_.figure
    assert display.returned_lines_ == []


def test_a_gap_is_the_curve_minus_the_optimum():
    newton, _, _ = fitted("newton")
    gd, _, _ = fitted("gd")
    display = LossCurveDisplay.from_estimators([gd, newton], optimum=newton.loss_)
    assert display.ax_.get_ylabel() == "F − F*"
    assert_array_equal(
        display.lines_[0].get_ydata(), np.array(gd.loss_curve_) - newton.loss_
    )
    ends = display.lines_[1].get_ydata()
    floor = np.finfo(float).eps * newton.loss_curve_[0]
    assert 0.0 < floor <= ends[-1] <= 1e-9 * ends[0]
    best = LossCurveDisplay.from_estimators([gd, newton], optimum="best")
    assert best.optimum == min(newton.loss_curve_)
    alone = LossCurveDisplay.from_estimator(gd, optimum="best")
    assert alone.optimum == gd.loss_
    with pytest.raises(ValueError, match="above F of 'gd'"):
        LossCurveDisplay.from_estimator(gd, optimum=gd.loss_curve_[0])
    with pytest.raises(ValueError, match="must be None, a number or 'best'"):
        LossCurveDisplay.from_estimator(gd, optimum="lowest")


def test_epochs_whose_running_mean_is_below_the_optimum_are_left_out():
    display = LossCurveDisplay(
        loss_curves=[[4.0, 2.0, 0.5, 1.0]], names=["sgd"], optimum=1.0
    ).plot()
    floor = 4.0 * np.finfo(float).eps
    assert_array_equal(display.line_.get_ydata(), [3.0, 1.0, np.nan, floor])


def test_a_curve_that_diverged_is_drawn_as_far_as_it_goes():
    model, X, y = fitted("sgd", learning_rate=1e200, store_path=True)
    assert np.isnan(model.loss_curve_[-1])
    display = LossCurveDisplay.from_estimator(model, optimum="best")
    assert display.optimum == model.loss_
    CoefPathDisplay.from_estimator(model)
    drawn = TrajectoryDisplay.from_estimator(model, X, y, grid_resolution=4)
    assert_array_equal(drawn.paths[0], [[0.0, 0.0]])


@pytest.mark.parametrize("solver", ["sgd", "momentum"])
def test_early_stopping_is_marked_where_it_went_back_to(solver):
    model, X, y = fitted(solver, early_stopping=True, store_path=True, tol=1e-3)
    display = LossCurveDisplay.from_estimators([model, model], names=["a", "b"])
    first, _ = display.returned_lines_
    ((x,), (F,)) = first.get_data()
    assert_array_equal(model.coef_path_[x], model.coef_)
    assert F == model.loss_ == model.loss_curve_[x]
    assert labels(display) == ["a", "returned by early stopping", "b"]
    both = GDRegressor(early_stopping=True, random_state=0).fit(X, np.c_[y, -y])
    assert LossCurveDisplay.from_estimator(both).returned_lines_ == []
    diverged = GDRegressor(learning_rate=3.0, early_stopping=True, random_state=0)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        diverged.fit(1e3 * X, y)
    assert LossCurveDisplay.from_estimator(diverged).returned_lines_ == []


def test_names_say_in_what_fits_differ():
    def names(*models):
        return LossCurveDisplay.from_estimators(models).names

    gd, momentum = fitted("gd")[0], fitted("momentum")[0]
    assert names(gd, momentum) == ["gd", "momentum"]
    faster = fitted("gd", learning_rate=0.5)[0]
    slower = fitted("gd", learning_rate=0.1, alpha=0.1)[0]
    assert names(faster, slower, gd) == [
        "gd, learning_rate=0.5",
        "gd, alpha=0.1, learning_rate=0.1",
        "gd",
    ]
    display = LossCurveDisplay.from_estimator(gd, name="mine")
    assert labels(display) == ["mine"]
    with pytest.raises(ValueError, match="1 names for 2 estimators"):
        LossCurveDisplay.from_estimators([gd, momentum], names=["one"])
    mixed = LossCurveDisplay.from_estimators([gd, fitted("sgd")[0]])
    assert mixed.ax_.get_xlabel() == "iteration or epoch"


def test_curves_differ_without_colour():
    models = [fitted(solver)[0] for solver in SOLVERS]
    display = LossCurveDisplay.from_estimators(models)
    look = {(line.get_linestyle(), line.get_marker()) for line in display.lines_}
    assert len(look) == len({line.get_color() for line in display.lines_}) == 7


def test_axes_and_styles_are_the_callers():
    model, X, y = fitted(store_path=True)
    figure, axes = plt.subplots(1, 3)
    displays = [
        LossCurveDisplay.from_estimator(
            model, ax=axes[0], yscale="linear", line_kw={"linewidth": 7}
        ),
        CoefPathDisplay.from_estimator(model, ax=axes[1], line_kw={"linewidth": 7}),
        TrajectoryDisplay.from_estimator(
            model,
            X,
            y,
            ax=axes[2],
            line_kw={"linewidth": 7},
            contour_kw={"cmap": "viridis"},
            grid_resolution=5,
        ),
    ]
    for display, ax in zip(displays, axes, strict=True):
        assert display.ax_ is ax
        assert display.figure_ is figure
        assert {line.get_linewidth() for line in display.lines_} == {7}
        assert display.plot() is display
        assert display.ax_ is not ax
    assert displays[0].ax_.get_yscale() == "log"
    assert axes[0].get_yscale() == "linear"


# --- coefficients ---------------------------------------------------------------------


def test_coefficients_have_the_names_of_their_columns():
    X, y = tables.noisy(60, 3)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    model = GDRegressor(store_path=True).fit(frame, y)
    display = CoefPathDisplay.from_estimator(model)
    assert labels(display) == ["a", "b", "c"]
    for line, values in zip(display.lines_, model.coef_path_.T, strict=True):
        assert_array_equal(line.get_ydata(), values)
    piped = make_pipeline(StandardScaler(), GDRegressor(store_path=True))
    display = CoefPathDisplay.from_estimator(piped.fit(frame, y))
    assert labels(display) == ["a", "b", "c"]
    assert_array_equal(display.coef_path, piped[-1].coef_path_)
    display = CoefPathDisplay.from_estimator(piped.fit(X, y))
    assert labels(display) == ["x0", "x1", "x2"]


def test_many_columns_share_a_place_in_the_legend():
    model, _, _ = fitted(d=40, store_path=True)
    display = CoefPathDisplay.from_estimator(model, max_labels=4)
    assert len(display.lines_) == 40
    largest = sorted(np.argsort(-np.abs(model.coef_))[:4])
    assert labels(display) == [*(f"x{j}" for j in largest), "36 others"]
    display = CoefPathDisplay.from_estimator(model, max_labels=0)
    assert labels(display) == ["40 others"]
    display = CoefPathDisplay.from_estimator(model, max_labels=39)
    assert labels(display)[-1] == "1 other"
    display = CoefPathDisplay.from_estimator(model, max_labels=40)
    assert len(labels(display)) == 40


def test_one_target_of_several():
    X, y = tables.noisy(60, 3)
    model = GDRegressor(store_path=True).fit(X, np.c_[y, -2 * y])
    display = CoefPathDisplay.from_estimator(model, target=1)
    assert_array_equal(display.coef_path, model.coef_path_[:, 1])
    drawn = TrajectoryDisplay.from_estimator(
        model, X, np.c_[y, -2 * y], target=1, grid_resolution=4
    )
    assert_array_equal(drawn.paths[0][-1], model.coef_[1, :2])
    alone = GDRegressor(store_path=True).fit(X, -2 * y)
    same = TrajectoryDisplay.from_estimator(alone, X, -2 * y, grid_resolution=4)
    assert_allclose(drawn.response, same.response, rtol=1e-9)
    for target in (-1, 2):
        with pytest.raises(ValueError, match="target must be from 0 to 1"):
            CoefPathDisplay.from_estimator(model, target=target)
    with pytest.raises(ValueError, match="y has 1 targets, but the fit had 2"):
        TrajectoryDisplay.from_estimator(model, X, y)


# --- paths over contours --------------------------------------------------------------


def lowest(function, low, high):
    return minimize_scalar(
        function, bounds=(low, high), method="bounded", options={"xatol": 1e-9}
    ).fun


@pytest.mark.parametrize(("fit_intercept", "weighted"), [(True, True), (False, False)])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_contours_are_the_objective(loss, penalty, fit_intercept, weighted):
    X, y = tables.noisy(40, 3)
    s = np.ones(40)
    if weighted:
        s = np.random.default_rng(1).uniform(size=40)
        s[:5] = 0.0
    model = GDRegressor(
        "momentum",
        loss=loss,
        penalty=penalty,
        alpha=0.3,
        epsilon=0.8,
        quantile=0.3,
        fit_intercept=fit_intercept,
        store_path=True,
        max_iter=20,
    ).fit(X, y, s)
    display = TrajectoryDisplay.from_estimator(
        model,
        X,
        y,
        features=(2, 0),
        sample_weight=s if weighted else None,
        others="fitted",
        grid_resolution=3,
    )
    plt.close()  # other tests let Agg draw it
    for i, j in np.ndindex(3, 3):
        w = model.coef_.copy()
        w[[2, 0]] = display.xx0[i, j], display.xx1[i, j]
        r = y - X @ w

        def mean_loss(b, r=r):
            return np.average(LOSSES[loss](r - b), weights=s)

        F = lowest(mean_loss, r.min(), r.max()) if fit_intercept else mean_loss(0.0)
        F += 0.3 * PENALTIES[penalty](w)
        assert_allclose(display.response[i, j], F, rtol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_every_path_ends_at_the_model(solver, early_stopping):
    model, X, y = fitted(solver, store_path=True, early_stopping=early_stopping)
    display = TrajectoryDisplay.from_estimator(
        model, X, y, features=(1, 2), grid_resolution=4
    )
    path = display.line_.get_xydata()
    assert_array_equal(path[-1], model.coef_[[1, 2]])
    assert_array_equal(path, model.coef_path_[: len(path), [1, 2]])
    assert_array_equal(path[0], [0.0, 0.0])


@pytest.mark.parametrize("loss", LOSSES)
def test_the_star_is_where_f_is_lowest(loss):
    model, X, y = fitted("gd", d=2, loss=loss, alpha=0.1, store_path=True)
    display = TrajectoryDisplay.from_estimator(model, X, y, grid_resolution=21)
    objective = model._fitted_objective(X, y, None, 0)
    at = [np.array([value]) for value in display.optimum]
    least = objective.over_plane(np.zeros(2), (0, 1), *at)[0, 0]
    room = 1e-3 * np.ptp(display.response)
    assert least <= display.response.min() + room
    # Closer looks find nothing lower.
    near = [np.linspace(value - 0.3, value + 0.3, 7) for value in display.optimum]
    around = objective.over_plane(np.zeros(2), (0, 1), *near)
    assert least <= around.min() + 1e-3 * np.ptp(around)
    assert labels(display)[-1] == "minimum of F"


def test_levels_and_limits():
    model, X, y = fitted(store_path=True, d=2)
    display = TrajectoryDisplay.from_estimator(
        model, X, y, levels=[3.0, 4.0, 5.0], limits=((-1, 2), (-3, 4))
    )
    assert_array_equal(display.contour_.levels, [3.0, 4.0, 5.0])
    assert display.ax_.get_xlim() == (-1, 2)
    assert display.ax_.get_ylim() == (-3, 4)
    assert_array_equal(display.xx0[0], np.linspace(-1, 2, 50))
    assert_array_equal(display.xx1[:, 0], np.linspace(-3, 4, 50))
    display.plot(levels=5)
    gaps = display.contour_.levels - display.response.min()
    assert len(gaps) == 5
    assert_allclose(gaps[1:] / gaps[:-1], 900 ** (1 / 4))
    whole = TrajectoryDisplay.from_estimator(model, X, y)
    for limits, column in zip(
        (whole.ax_.get_xlim(), whole.ax_.get_ylim()), model.coef_path_.T, strict=True
    ):
        assert limits[0] < column.min()
        assert limits[1] > column.max()


def test_the_optimum_of_several_fits_is_one():
    fits = [fitted(solver, store_path=True)[0] for solver in ("gd", "newton", "sgd")]
    _, X, y = fitted()
    display = TrajectoryDisplay.from_estimators(fits, X, y, grid_resolution=4)
    assert_allclose(display.optimum, fits[1].coef_[:2], rtol=1e-9)
    assert labels(display) == ["gd", "newton", "sgd", "minimum of F"]
    fixed = TrajectoryDisplay.from_estimators(
        fits, X, y, others="fitted", grid_resolution=4, names=["a", "b", "c"]
    )
    assert fixed.optimum is None
    assert labels(fixed) == ["a", "b", "c"]


def test_frames_pipelines_and_sparse_tables_give_the_same_picture():
    X, y = tables.noisy(60, 3)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    scaler = StandardScaler(with_mean=False)
    Z = scaler.fit_transform(X)
    model = GDRegressor(store_path=True)
    draw = TrajectoryDisplay.from_estimator
    options = {"features": (2, 0), "grid_resolution": 4}
    plain = draw(model.fit(Z, y), Z, y, **options)
    piped = make_pipeline(StandardScaler(with_mean=False), model)
    named = {**options, "features": ("c", "a")}
    others = [
        draw(model.fit(sparse.csr_array(Z), y), sparse.csr_array(Z), y, **options),
        draw(piped.fit(frame, y), frame, y, **named),
        draw(make_pipeline(model).fit(Z, y), Z, y, **options),
    ]
    for other in others:
        assert_allclose(other.response, plain.response, rtol=1e-9)
        assert_allclose(other.paths[0], plain.paths[0], rtol=1e-9)
    assert others[1].ax_.get_xlabel() == "coefficient of c"
    assert others[1].ax_.get_ylabel() == "coefficient of a"
    with pytest.raises(ValueError, match="no column is called 'd'"):
        draw(piped, frame, y, features=("a", "d"))
    with pytest.raises(ValueError, match="different tables"):
        TrajectoryDisplay.from_estimators([piped, model.fit(frame, y)], frame, y)


def test_drawing_changes_nothing():
    model, X, y = fitted(store_path=True)
    before = dict(vars(model))
    TrajectoryDisplay.from_estimator(model, X, y, grid_resolution=4)
    assert vars(model) == before
    assert all(vars(model)[name] is value for name, value in before.items())


# --- refusals -------------------------------------------------------------------------


def test_what_can_not_be_drawn_is_refused():
    model, X, y = fitted(store_path=True)
    pathless, _, _ = fitted()
    draw = TrajectoryDisplay.from_estimator
    for display in (
        lambda: draw(pathless, X, y),
        lambda: CoefPathDisplay.from_estimator(pathless),
    ):
        with pytest.raises(ValueError, match="not fitted with store_path=True"):
            display()
    for features in [(0, 3), (-1, 0), (0.0, 1)]:
        with pytest.raises(ValueError, match="features must be from 0 to 2"):
            draw(model, X, y, features=features)
    for features in [(0,), "ab", (0, 1, 2)]:
        with pytest.raises(ValueError, match="features must be two columns"):
            draw(model, X, y, features=features)
    with pytest.raises(ValueError, match="two different columns"):
        draw(model, X, y, features=(1, 1))
    with pytest.raises(ValueError, match="others must be"):
        draw(model, X, y, others="zero")
    with pytest.raises(ValueError, match="expecting 3 features"):
        draw(model, X[:, :2], y)
    one, X1, y1 = fitted(d=1, store_path=True)
    with pytest.raises(ValueError, match="at least 2 columns"):
        draw(one, X1, y1)
    lasso, _, _ = fitted(store_path=True, penalty="l1", alpha=0.1)
    with pytest.raises(ValueError, match="differ in penalty"):
        TrajectoryDisplay.from_estimators([model, lasso], X, y)
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(GDRegressor())
    with pytest.raises(ValueError, match="Expected a GDRegressor"):
        LossCurveDisplay.from_estimator(SGDRegressor())
    with pytest.raises(ValueError, match="must be a list"):
        LossCurveDisplay.from_estimators(model)
    with pytest.raises(ValueError, match="at least one"):
        LossCurveDisplay.from_estimators([])


def test_without_matplotlib_the_error_says_what_to_do(monkeypatch):
    model, X, y = fitted(store_path=True)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (
        lambda: LossCurveDisplay.from_estimator(model),
        lambda: CoefPathDisplay.from_estimator(model),
        lambda: TrajectoryDisplay.from_estimator(model, X, y),
        lambda: LossCurveDisplay(loss_curves=[[1.0]], names=["a"]).plot(),
    ):
        with pytest.raises(ImportError, match=r"Display\.\w+ requires matplotlib"):
            draw()


def test_importing_the_package_imports_no_matplotlib():
    code = "import sys, sklearn_gd; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
