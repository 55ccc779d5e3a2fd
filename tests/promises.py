"""What must hold of a life that ``hostile.case`` makes, whatever is in it."""

import pickle
import time
import traceback
import warnings

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_gd import GDRegressor

# Of this process: others may share the machine.
SECONDS = 10.0


def live(case):
    """Lead the case's life; return how each call ended: fitted, warned or refused."""
    model = GDRegressor(**case.parameters)
    endings = []
    for call in case.calls:
        model.set_params(**call.changes)
        before = _attributes(model)
        inputs = _frozen((call.X, call.y, call.sample_weight))
        begun = time.process_time()
        error = None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                getattr(model, call.method)(call.X, call.y, call.sample_weight)
            except Exception as raised:
                error = raised
        taken = time.process_time() - begun
        assert taken < SECONDS, f"took {taken:.1f} s"
        assert _frozen((call.X, call.y, call.sample_weight)) == inputs, "input modified"
        caught = [w for w in caught if "feature names" not in str(w.message)]
        for warning in caught:
            assert issubclass(warning.category, ConvergenceWarning), warning
            assert len(str(warning.message)) > 20, warning
        if error is None:
            _check_fitted(model)
            if call.method == "fit" and model.learning_rate == "auto":
                _check_good(model, call, quiet=not caught)
            endings.append("warned" if caught else "fitted")
        else:
            _check_clear(error)
            assert _attributes(model) == before, f"half-written after {error!r}"
            endings.append("refused")
    return endings


def _check_fitted(model):
    for name in ("coef_", "intercept_", "loss_"):
        assert np.isfinite(getattr(model, name)).all(), f"{name} is not finite"
    assert len(model.loss_curve_) == model.n_iter_ + 1
    pickle.loads(pickle.dumps(model))


def _check_good(model, call, quiet):
    """An automatic fit is never worse than a constant, and warns if it is far off."""
    if model.early_stopping:
        return
    assert np.isfinite(model.loss_curve_).all()
    start = model.loss_curve_[0]
    y = np.asarray(call.y, dtype=float)
    noise = 16 * np.finfo(float).eps * np.abs(y).max()
    quadratic = model.loss.startswith("squared")
    noise = noise**2 if quadratic else noise
    assert model.loss_ <= (1.0 + 1e-9) * start + noise, (model.loss_, start)
    plain = not (model.penalty and model.alpha) and not model.positive
    if not (quiet and plain and model.loss == "squared_error" and y.ndim == 1):
        return
    if "tol" in model.get_params() and model.tol != 1e-4:
        return
    left, constant, unit = _least_squares(call, y, model.fit_intercept)
    excess = model.loss_ / unit / unit - left
    limit = 1e-6 if model.solver == "newton" else 0.01
    assert excess <= limit * constant + noise / unit / unit, (
        f"F ended {excess / constant:.1e} F0 above the optimum, and no warning"
    )


def _least_squares(call, y, fit_intercept):
    """Return F*, F of the best constant, in units of the square of the third."""
    X = call.X.toarray() if sparse.issparse(call.X) else np.asarray(call.X)
    X = X.astype(np.longdouble)
    s = call.sample_weight
    s = np.ones(len(y)) if s is None else np.broadcast_to(s, len(y)).astype(float)
    s = s.astype(np.longdouble) / s.max()
    s /= s.sum()
    unit = np.abs(y).max() or 1.0
    y = y.astype(np.longdouble) / unit
    if fit_intercept:
        X, y = X - s @ X, y - s @ y
    size = np.abs(X).max(axis=0)
    A = X / np.where(size > 0.0, size, 1.0)
    root = np.sqrt(s)
    A = (root[:, None] * A).astype(float)
    w, *_ = np.linalg.lstsq(A, (root * y).astype(float), rcond=1e-13)
    left = float(np.sum((root * y - A @ w) ** 2)) / 2
    return left, float(s @ y**2) / 2, unit


def _check_clear(error):
    """A refusal is ours or scikit-learn's: nothing breaks in the middle of a fit."""
    story = "".join(traceback.format_exception(error)[-8:])
    assert isinstance(error, ValueError | TypeError), story
    assert len(str(error)) > 10, story
    frames = traceback.extract_tb(error.__traceback__)
    if any(frame.name in ("_fit", "_partial_fit") for frame in frames):
        last = frames[-1]
        assert "sklearn_gd" in last.filename, story
        assert "raise" in last.line, story


def _attributes(model):
    parameters = model.get_params()
    kept = {name: v for name, v in vars(model).items() if name not in parameters}
    return pickle.dumps(kept)


def _frozen(values):
    """Return bytes that change with the values."""
    frozen = []
    for value in values:
        if sparse.issparse(value):
            parts = sorted(vars(value).items(), key=lambda item: item[0])
            # scipy keeps what it found out about the indices.
            frozen.append(
                [(k, repr(v), _bytes(v)) for k, v in parts if "_has" not in k]
            )
        else:
            frozen.append((type(value), _bytes(value)))
    return frozen


def _bytes(value):
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.shape, value.strides, value.dtype, value.tobytes()
    return repr(value) if not hasattr(value, "iloc") else repr(value.to_dict())
