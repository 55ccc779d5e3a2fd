"""GDRegressor as its users meet it."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
import tables
import textbook
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tables import noisy

from sklearn_gd import GDRegressor
from sklearn_gd._solver import SOLVERS

STOCHASTIC = [name for name, solver in SOLVERS.items() if solver.batch_size]
FULL_BATCH = [name for name in SOLVERS if name not in STOCHASTIC]
ignore_convergence = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)


def optimum(X, y, s=None, alpha=0.0):
    model = GDRegressor("newton", alpha=alpha).fit(X, y, s)
    return model.loss_


# --- data -----------------------------------------------------------------------------


@ignore_convergence
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("learning_rate", ["auto", 0.003])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("batch_size", [None, 7])
def test_dense_and_sparse_agree(solver, learning_rate, alpha, batch_size):
    if solver == "newton":
        batch_size = None
    X, y = noisy()
    X[np.random.default_rng(1).random(X.shape) < 0.6] = 0.0
    model = GDRegressor(
        solver,
        learning_rate=learning_rate,
        alpha=alpha,
        batch_size=batch_size,
        max_iter=50,
        random_state=0,
    )
    dense = model.fit(X, y)
    coef, intercept = dense.coef_, dense.intercept_
    for kind in ("csr", "csc", "coo", "lil", "bsr"):
        other = clone(model).fit(sparse.coo_array(X).asformat(kind), y)
        assert_allclose(other.coef_, coef, rtol=1e-8, atol=1e-12)
        assert_allclose(other.intercept_, intercept, rtol=1e-8)
        assert_allclose(other.predict(sparse.csr_matrix(X)), dense.predict(X))


@ignore_convergence
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", tables.NAMES)
@pytest.mark.parametrize("version", [tables.raw, tables.standardised])
def test_dense_and_sparse_agree_on_real_tables(solver, name, version):
    X, y = version(name)
    dense = GDRegressor(solver, random_state=0).fit(X, y)
    other = GDRegressor(solver, random_state=0).fit(sparse.csr_array(X), y)
    assert_allclose(other.coef_, dense.coef_, rtol=1e-8, atol=1e-12)
    assert_allclose(other.intercept_, dense.intercept_, rtol=1e-8)


def test_sparse_indices_of_64_bits():
    X, y = noisy()
    narrow = sparse.csr_matrix(X)
    wide = sparse.csr_matrix(X)
    wide.indices = wide.indices.astype(np.int64)
    wide.indptr = wide.indptr.astype(np.int64)
    assert_array_equal(
        GDRegressor().fit(wide, y).coef_, GDRegressor().fit(narrow, y).coef_
    )


@ignore_convergence
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_float32(solver, container):
    X, y = noisy()
    model = GDRegressor(solver, random_state=0)
    double = clone(model).fit(container(X), y)
    single = clone(model).fit(container(X.astype(np.float32)), y)
    assert single.coef_.dtype == np.float32
    assert double.coef_.dtype == np.float64
    assert single.predict(container(X.astype(np.float32))).dtype == np.float32
    assert_allclose(single.coef_, double.coef_, rtol=1e-3)
    assert_allclose(single.intercept_, double.intercept_, rtol=1e-3)


@ignore_convergence
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_inputs_are_left_alone(solver, container):
    X, y = noisy()
    s = np.arange(len(y)) % 3.0
    X = container(X)
    before = [np.array(part) for part in (X.data, y, s)]
    for part in (X, y, s):
        array = part.data if sparse.issparse(part) else part
        array.flags.writeable = False
    model = GDRegressor(solver, random_state=0).fit(X, y, s)
    model.partial_fit(X, y, s)
    model.predict(X)
    for part, old in zip((X.data, y, s), before, strict=True):
        assert_array_equal(np.array(part), old)


@pytest.mark.parametrize(
    "change",
    [
        np.asfortranarray,
        lambda X: X[::-1][::-1],
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        lambda X: X.tolist(),
        pd.DataFrame,
        lambda X: X.astype(object),
    ],
)
def test_every_layout(change):
    X, y = noisy()
    assert_array_equal(
        GDRegressor("newton").fit(change(X), y).coef_,
        GDRegressor("newton").fit(X, y).coef_,
    )


def test_integers_and_booleans():
    X, y = noisy()
    for kind in (np.int64, np.int8, bool):
        whole = np.round(2 * X).astype(kind)
        assert_array_equal(
            GDRegressor("newton").fit(whole, np.round(y).astype(int)).coef_,
            GDRegressor("newton").fit(whole.astype(float), np.round(y)).coef_,
        )


def test_duplicates_in_csr_are_summed():
    X = sparse.csr_matrix(
        (np.array([1.0, 2.0, 1.0, 4.0, 5.0]), [0, 0, 1, 1, 0], [0, 2, 4, 5]),
        shape=(3, 2),
    )
    y = np.array([1.0, 2.0, 4.0])
    model = GDRegressor("newton").fit(X, y)
    assert_allclose(model.coef_, GDRegressor("newton").fit(X.toarray(), y).coef_)
    assert len(X.data) == 5


@pytest.mark.parametrize(
    ("indices", "indptr"),
    [([0, 9], [0, 1, 2]), ([0, -1], [0, 1, 2]), ([0, 1], [0, 2, 1])],
)
def test_malformed_csr_is_refused(indices, indptr):
    X = sparse.csr_matrix(np.eye(2))
    X.indices = np.array(indices, dtype=np.int32)
    X.indptr = np.array(indptr, dtype=np.int32)
    with pytest.raises(ValueError, match=r"malformed|index|ind(ices|ptr)"):
        GDRegressor("sgd").fit(X, [1.0, 2.0])


def test_data_frames_give_names():
    X, y = noisy()
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = GDRegressor().fit(frame, pd.Series(y))
    assert_array_equal(model.feature_names_in_, list("abcde"))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("edcba")])


def test_a_column_as_y_is_one_target_of_many():
    X, y = noisy()
    model, vector = GDRegressor().fit(X, y[:, None]), GDRegressor().fit(X, y)
    assert_array_equal(model.coef_, vector.coef_[None])
    assert_array_equal(model.intercept_, [vector.intercept_])
    assert_array_equal(model.predict(X), vector.predict(X)[:, None])


# --- weights --------------------------------------------------------------------------


@ignore_convergence
@pytest.mark.parametrize("solver", FULL_BATCH)
@pytest.mark.parametrize("name", ["diabetes", "longley", "ccard", "star98", "spector"])
@pytest.mark.parametrize("version", [tables.raw, tables.standardised])
def test_weights_are_repeats(solver, name, version):
    X, y = version(name)
    s = np.random.default_rng(0).integers(0, 4, size=len(y))
    weighted = GDRegressor(solver).fit(X, y, s)
    repeated = GDRegressor(solver).fit(np.repeat(X, s, axis=0), np.repeat(y, s))
    assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-7)
    assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-7, atol=1e-12)


@ignore_convergence
@pytest.mark.parametrize("solver", STOCHASTIC)
@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("name", ["noisy", "diabetes", "ccard"])
def test_weights_are_repeats_on_average(solver, alpha, name):
    X, y = noisy(100) if name == "noisy" else tables.standardised(name)
    s = np.random.default_rng(0).integers(0, 4, size=len(y))
    best = optimum(X, y, s, alpha)
    mean = np.average(y, weights=s)
    start = textbook.objective(X, y, np.zeros(X.shape[1]), mean, s)
    for data in [(X, y, s), (np.repeat(X, s, axis=0), np.repeat(y, s), None)]:
        excess = [
            GDRegressor(solver, alpha=alpha, random_state=seed).fit(*data).loss_ - best
            for seed in range(20)
        ]
        assert np.mean(excess) < 1e-3 * (start - best)


@ignore_convergence
@pytest.mark.parametrize("solver", SOLVERS)
def test_y_and_weights_may_be_columns_of_tables(solver):
    X, y = noisy(60)
    Z = np.column_stack([y, np.linspace(1.0, 2.0, 60)])
    model = GDRegressor(solver, random_state=0)
    strided = clone(model).fit(X, Z[:, 0], Z[:, 1])
    assert_array_equal(strided.coef_, model.fit(X, y, Z[:, 1].copy()).coef_)


@ignore_convergence
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("learning_rate", ["auto", 1e-3])
def test_rows_of_weight_zero_are_never_seen(solver, learning_rate):
    X, y = noisy(60)
    s = np.ones(60)
    s[::3] = 0.0
    model = GDRegressor(solver, learning_rate=learning_rate, random_state=0)
    hostile, y_hostile = X.copy(), y.copy()
    hostile[::3], y_hostile[::3] = 1e300, -1e300
    for container in (np.array, sparse.csr_array):
        kept = clone(model).fit(container(X[s > 0]), y[s > 0])
        weighted = clone(model).fit(container(hostile), y_hostile, s)
        assert_allclose(weighted.coef_, kept.coef_, rtol=1e-12)
        assert_allclose(weighted.intercept_, kept.intercept_, rtol=1e-12)
        assert weighted.t_ == kept.t_


@ignore_convergence
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("unit", [1e-300, 1e300])
def test_only_ratios_of_weights_matter(solver, unit):
    X, y = noisy(60)
    s = np.random.default_rng(0).uniform(1, 2, size=60)
    one = GDRegressor(solver, random_state=0).fit(X, y, s)
    other = GDRegressor(solver, random_state=0).fit(X, y, s * unit)
    assert_allclose(other.coef_, one.coef_, rtol=1e-9)


# --- attributes -----------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("learning_rate", ["auto", 0.05])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
@ignore_convergence
def test_attributes(solver, learning_rate, alpha):
    X, y = noisy()
    model = GDRegressor(
        solver, learning_rate=learning_rate, alpha=alpha, random_state=0
    ).fit(X, y)
    assert isinstance(model.intercept_, float)
    assert model.coef_.shape == (5,)
    assert len(model.loss_curve_) == model.n_iter_ + 1
    F = textbook.objective(X, y, model.coef_, model.intercept_, alpha=alpha)
    assert_allclose(model.loss_, F, rtol=1e-10)
    steps = {"sgd": 200, "minibatch": 7}.get(solver, 1)
    assert model.t_ == model.n_iter_ * steps
    made_all = model.stop_reason_.startswith("max_iter=1000")
    assert model.stop_reason_.startswith("converged") != made_all
    assert made_all == (model.n_iter_ == 1000)
    if learning_rate == "auto":
        assert_allclose(model.loss_, min(model.loss_curve_), rtol=1e-10)
    else:
        assert model.learning_rate_ == 0.05
    assert hasattr(model, "momentum_") == (solver == "momentum")


def test_curvature_is_that_of_the_hessian():
    X, y = noisy()
    model = GDRegressor(alpha=0.1).fit(X, y)
    A = np.c_[X, np.ones(200)]
    H = A.T @ A / 200 + 0.1 * np.diag([1, 1, 1, 1, 1, 0])
    mu, largest = np.linalg.eigvalsh(H)[[0, -1]]
    assert_allclose(model.curvature_, (mu, largest), rtol=1e-5)


def test_loss_curve_of_float_steps_is_the_running_mean():
    X, y = noisy(50)
    model = GDRegressor(
        "sgd", learning_rate=0.01, shuffle=False, max_iter=1, tol=None, alpha=0.1
    ).fit(X, y)
    w, b, total = np.zeros(5), 0.0, 0.0
    for x_i, y_i in zip(X, y, strict=True):
        r = x_i @ w + b - y_i
        total += 0.5 * r * r
        w, b = w - 0.01 * (r * x_i + 0.1 * w), b - 0.01 * r
    assert_allclose(model.loss_curve_[1], total / 50 + 0.05 * w @ w, rtol=1e-10)


def test_tol_none_makes_every_iteration():
    X, y = noisy()
    for solver in SOLVERS:
        model = GDRegressor(solver, max_iter=37, tol=None).fit(X, y)
        assert model.n_iter_ == 37


def test_refitting_forgets_attributes_of_another_solver():
    X, y = noisy()
    model = GDRegressor("momentum").fit(X, y)
    assert model.momentum_ < 1
    assert len(model.curvature_) == 2
    model.set_params(solver="sgd", learning_rate=0.01).fit(X, y)
    assert not hasattr(model, "momentum_")
    assert not hasattr(model, "curvature_")


def test_coefficients_too_large_for_float32():
    X, y = noisy()
    with pytest.raises(ValueError, match="too large for float32"):
        GDRegressor("newton").fit((X * 1e-25).astype(np.float32), y * 1e18)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_constant_y(solver):
    X, _ = noisy()
    model = GDRegressor(solver).fit(X, np.full(200, 0.1))
    assert_allclose(model.coef_, 0.0, atol=1e-15)
    assert_allclose(model.intercept_, 0.1)


@pytest.mark.parametrize("solver", SOLVERS)
@ignore_convergence
def test_columns_of_zeros_ones_and_twins(solver):
    X, y = noisy()
    odd = np.c_[X, np.zeros(200), np.ones(200), X[:, 0]]
    model = GDRegressor(solver, random_state=0).fit(odd, y)
    assert model.coef_[5] == 0.0
    best = optimum(X, y)
    assert model.loss_ - best < 1e-3 * (np.var(y) / 2 - best)


# --- randomness -----------------------------------------------------------------------


@pytest.mark.parametrize("solver", STOCHASTIC)
def test_random_state(solver):
    X, y = noisy()

    def fit(seed):
        return GDRegressor(
            solver, learning_rate=0.01, random_state=seed, max_iter=3, tol=None
        ).fit(X, y)

    assert_array_equal(fit(0).coef_, fit(0).coef_)
    assert_array_equal(fit(np.random.RandomState(0)).coef_, fit(0).coef_)
    assert np.any(fit(0).coef_ != fit(1).coef_)
    unshuffled = [
        GDRegressor(solver, shuffle=False, random_state=seed).fit(X, y).coef_
        for seed in (0, 1)
    ]
    assert_array_equal(*unshuffled)


def test_rows_come_in_a_new_order_each_epoch():
    X, y = noisy()
    one = GDRegressor("sgd", learning_rate=0.01, random_state=0)
    first = clone(one).partial_fit(X, y).coef_
    # The first epoch moves nothing, but it counts.
    second = clone(one).partial_fit(X * 0, y * 0).partial_fit(X, y).coef_
    assert np.any(first != second)


def test_full_batch_draws_no_random_number():
    X, y = noisy()
    for solver in FULL_BATCH:
        rng = np.random.RandomState(0)
        GDRegressor(solver, random_state=rng).fit(X, y).partial_fit(X, y)
        assert rng.randint(1000) == np.random.RandomState(0).randint(1000)


@pytest.mark.parametrize("batch_size", [1, 8])
def test_a_short_first_chunk_does_not_end_the_shuffling(batch_size):
    X, y = noisy()

    def stream(seed):
        model = GDRegressor(
            "sgd", learning_rate=0.01, batch_size=batch_size, random_state=seed
        )
        return model.partial_fit(X[:1], y[:1]).partial_fit(X, y).coef_

    assert np.any(stream(0) != stream(1))
    assert_array_equal(stream(0), stream(0))


# --- in scikit-learn's company --------------------------------------------------------


@ignore_convergence
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search(n_jobs):
    X, y = tables.raw("diabetes")
    pipeline = Pipeline([("scale", StandardScaler()), ("fit", GDRegressor())])
    grid = [
        {"fit__solver": list(SOLVERS)},
        {"fit__solver": ["sgd"], "fit__learning_rate": [1e-4, 1e-3, 10.0]},
        {"fit__solver": ["momentum"], "fit__batch_size": [1, 16, None]},
        {"fit__solver": ["momentum"], "fit__momentum": [0.0, 0.9, "auto"]},
    ]
    search = GridSearchCV(pipeline, grid, n_jobs=n_jobs, cv=3).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_score_ > 0.45


def test_pipeline_of_columns_and_categories():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"size": rng.normal(100, 20, 300), "town": rng.choice(["a", "b", "c"], 300)}
    )
    y = frame["size"] * 3 + frame["town"].map({"a": 0, "b": 50, "c": 90})
    columns = ColumnTransformer(
        [("number", StandardScaler(), ["size"]), ("town", OneHotEncoder(), ["town"])]
    )
    model = make_pipeline(columns, GDRegressor("momentum")).fit(frame, y)
    assert model.score(frame, y) > 0.999


def test_cross_val_score():
    X, y = tables.standardised("diabetes")
    assert cross_val_score(GDRegressor("momentum"), X, y).mean() > 0.45


@pytest.mark.parametrize("solver", SOLVERS)
def test_copies(solver):
    X, y = noisy()
    model = GDRegressor(
        solver, random_state=0, learning_rate=0.01, tol=None, max_iter=5
    )
    model.fit(X, y)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert_array_equal(twin.predict(X), model.predict(X))
        twin.partial_fit(X, y)
        assert_array_equal(twin.coef_, copy.deepcopy(model).partial_fit(X, y).coef_)
    assert not hasattr(clone(model), "coef_")
    assert clone(model).get_params() == model.get_params()


def test_fitted_attributes_are_arrays_numbers_and_strings():
    def plain(value):
        if isinstance(value, dict):
            return all(plain(v) for v in value.values())
        if isinstance(value, list | tuple):
            return all(plain(v) for v in value)
        return value is None or isinstance(
            value, np.ndarray | np.generic | float | int | str
        )

    X, y = noisy()
    for solver in SOLVERS:
        model = GDRegressor(solver, random_state=0).fit(X, y)
        assert plain(vars(model)), solver
        assert plain(vars(model.partial_fit(X, y))), solver


def test_metadata_routing_of_weights():
    X, y = noisy()
    s = np.random.default_rng(0).integers(0, 2, size=200)
    with sklearn.config_context(enable_metadata_routing=True):
        model = GDRegressor("newton").set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model)
        pipeline.fit(X, y, sample_weight=s)
        Z = pipeline[0].transform(X)
    assert_allclose(
        pipeline[-1].coef_, GDRegressor("newton").fit(Z[s > 0], y[s > 0]).coef_
    )


# --- refusals -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("solver", "adam"),
        ("loss", "hinge"),
        ("penalty", "l0"),
        ("alpha", -1),
        ("alpha", np.nan),
        ("alpha", np.inf),
        ("alpha", "auto"),
        ("fit_intercept", "no"),
        ("learning_rate", 0.0),
        ("learning_rate", -0.1),
        ("learning_rate", np.inf),
        ("learning_rate", None),
        ("schedule", "cosine"),
        ("power_t", "big"),
        ("batch_size", 0),
        ("batch_size", 1.5),
        ("momentum", 1.0),
        ("momentum", -0.1),
        ("rho", 1.0),
        ("eps", 0.0),
        ("max_iter", 0),
        ("tol", -1e-3),
        ("n_iter_no_change", 0),
        ("average", 10),
        ("shuffle", "yes"),
        ("random_state", "seed"),
        ("warm_start", 2),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_wrong_parameters(parameter, value, method):
    X, y = noisy()
    with pytest.raises(
        ValueError, match=f"'{parameter}' parameter of GDRegressor must"
    ):
        getattr(GDRegressor(**{parameter: value}), method)(X, y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"learning_rate": "invscaling"}, "schedule='constant'"),
        ({"learning_rate": "optimal"}, "learning_rate=<eta0>"),
        ({"schedule": "invscaling"}, "needs a float learning_rate"),
        ({"solver": "newton", "batch_size": 8}, "batch_size must be None"),
        ({"solver": "gd", "average": True}, "Set batch_size"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_combinations_that_make_no_sense(parameters, message, method):
    X, y = noisy()
    with pytest.raises(ValueError, match=message):
        getattr(GDRegressor(**parameters), method)(X, y)


X0, Y0 = noisy(10)


@pytest.mark.parametrize(
    ("X", "y", "s", "message"),
    [
        (np.full((10, 2), np.nan), Y0, None, "NaN"),
        (np.full((10, 2), np.inf), Y0, None, "infinity"),
        (X0, np.full(10, np.nan), None, "NaN"),
        (X0, Y0[:5], None, "inconsistent numbers of samples"),
        (X0, np.zeros((10, 2, 2)), None, "dim 3"),
        (X0, np.zeros((10, 0)), None, "minimum of 1 is required"),
        (X0[:, 0], Y0, None, "Expected 2D array"),
        (X0[:0], Y0[:0], None, "minimum of 1 is required"),
        (X0[:, :0], Y0, None, "minimum of 1 is required"),
        (X0 * 1j, Y0, None, "Complex data not supported"),
        (X0, Y0 * 1j, None, "Complex data not supported"),
        (np.full((10, 2), "a"), Y0, None, "could not convert string"),
        (X0, ["a"] * 10, None, "could not convert string|dtype"),
        (X0, None, None, "y cannot be None|requires y"),
        (X0, Y0, np.zeros(10), "at least one non-zero"),
        (X0, Y0, -np.ones(10), "[Nn]egative values"),
        (X0, Y0, np.ones(5), "sample_weight.shape"),
        (X0, Y0, np.full(10, np.nan), "NaN"),
        (X0 * 1e200, Y0, None, "squares overflow"),
        (X0, Y0 * 1e200, None, "squares overflow"),
    ],
)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("learning_rate", ["auto", 0.1])
def test_wrong_data(X, y, s, message, solver, method, learning_rate):
    with pytest.raises(ValueError, match=message):
        getattr(GDRegressor(solver, learning_rate=learning_rate), method)(X, y, s)


def test_predict_before_fit_and_on_other_columns():
    X, y = noisy()
    with pytest.raises(sklearn.exceptions.NotFittedError):
        GDRegressor().predict(X)
    with pytest.raises(ValueError, match="expecting 5 features"):
        GDRegressor().fit(X, y).predict(X[:, :4])


# --- divergence -----------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["gd", "momentum", "newton", "sgd", "minibatch"])
@pytest.mark.parametrize("factor", [2.5, 1e4, 1e300])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("tol", [1e-4, None])
def test_a_diverging_step_is_caught_and_the_largest_is_named(
    solver, factor, container, tol
):
    X, y = tables.standardised("diabetes")
    stable = {"newton": 2.0, "sgd": 0.05, "minibatch": 0.1}.get(solver, 0.5)
    model = GDRegressor(
        solver, learning_rate=stable * factor * 4, random_state=0, tol=tol
    )
    with pytest.warns(ConvergenceWarning, match="diverged") as caught:
        model.fit(container(X), y)
    (message,) = [str(warning.message) for warning in caught]
    assert np.isfinite(model.coef_).all()
    assert model.loss_ <= model.loss_curve_[0]
    assert model.stop_reason_ == "diverged"
    named = float(message.split("learning_rate=")[2].split(" ")[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        again = clone(model).set_params(learning_rate=named).fit(container(X), y)
    assert again.loss_ < again.loss_curve_[0]
    assert again.stop_reason_ != "diverged"


def test_finite_iterates_beyond_the_stable_step_are_the_textbooks():
    X, y = tables.standardised("diabetes")
    step = 4.0 / GDRegressor().fit(X, y).curvature_[1]
    model = GDRegressor(learning_rate=step, max_iter=3, tol=None)
    with pytest.warns(ConvergenceWarning, match="largest stable step"):
        model.fit(X, y)
    w, _ = textbook.fit("gd", X, y, eta=step, epochs=3)
    assert_allclose(model.coef_, w, rtol=1e-10)
    assert model.stop_reason_ == "max_iter=3 iterations made"
    X, y = noisy()
    y = 0.3 * X[:, 0] + np.random.default_rng(1).normal(size=200)
    model = GDRegressor("sgd", learning_rate=0.12, shuffle=False, max_iter=20, tol=None)
    with pytest.warns(ConvergenceWarning, match="surely stable step"):
        model.fit(X, y)
    w, _ = textbook.fit("sgd", X, y, eta=0.12, epochs=20, batch=1)
    assert_allclose(model.coef_, w, rtol=1e-10)


@pytest.mark.parametrize("solver", ["adagrad", "rmsprop"])
@pytest.mark.parametrize("eta", [1e-8, 1.0, 1e4, 1e8, 1e160, 1e300])
@pytest.mark.parametrize("batch_size", [None, 32])
@ignore_convergence
def test_adaptive_rules_never_end_above_their_start(solver, eta, batch_size):
    X, y = tables.standardised("diabetes")
    model = GDRegressor(
        solver, learning_rate=eta, batch_size=batch_size, random_state=0
    ).fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert model.loss_ <= model.loss_curve_[0]


def test_ripples_of_momentum_are_not_divergence():
    # η small and λ near 1: F rises a thousandfold above its lowest on the way.
    X, y = tables.standardised("longley")
    model = GDRegressor(
        "momentum", learning_rate=0.1, momentum=0.999, max_iter=300, tol=None
    ).fit(X, y)
    w, _ = textbook.fit("momentum", X, y, eta=0.1, epochs=300, momentum=0.999)
    assert_allclose(model.coef_, w, rtol=1e-9)
