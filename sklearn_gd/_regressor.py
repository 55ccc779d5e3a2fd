"""GDRegressor: parameters, validation and fitted attributes."""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from sklearn_gd import _steps
from sklearn_gd._core.losses import LOSSES
from sklearn_gd._core.penalties import PENALTIES
from sklearn_gd._data import as_data
from sklearn_gd._factor import Factor
from sklearn_gd._objective import Objective
from sklearn_gd._solver import (
    SOLVERS,
    AllRows,
    Batches,
    Stopping,
    advance,
    automatic_policy,
    minimize,
    solve_exactly,
)

SCHEDULES = {"constant", "invscaling", "adaptive"}


class GDRegressor(RegressorMixin, BaseEstimator):
    r"""Linear regression trained by the gradient methods everyone is taught.

    Minimises, over the coefficients :math:`w` and the intercept :math:`b`,

    .. math:: F(w, b) = \frac{1}{S} \sum_i s_i \tfrac12 (y_i - x_i \cdot w - b)^2
              + \frac{\alpha}{2} \|w\|^2, \qquad S = \sum_i s_i

    by one of seven solvers. With ``learning_rate="auto"`` the step needs no tuning and
    no scaled data: F of what is returned is never above that of the best constant. With
    a float the iterates are exactly the textbook's, from w = 0 and b = 0.

    Parameters
    ----------
    solver : {"gd", "sgd", "minibatch", "momentum", "newton", "adagrad", "rmsprop"}, \
            default="gd"
        The rule of a step and how many rows it sees. g is the gradient of F on them.

        =========  ================================================  ==========
        solver     rule                                              rows a step
        =========  ================================================  ==========
        gd         w ← w − η g                                       all
        sgd        w ← w − η g                                       1
        minibatch  w ← w − η g                                       32
        momentum   m ← λ m + g;  w ← w − η m                         all
        newton     w ← w − η H⁻¹ g, H the Hessian of F               all
        adagrad    G ← G + g²;  w ← w − η g / √(G + ε)               all
        rmsprop    G ← ρ G + (1 − ρ) g²;  w ← w − η g / √(G + ε)     all
        =========  ================================================  ==========

    loss : {"squared_error"}, default="squared_error"
        ℓ(y, f) = ½ (y − f)².
    penalty : {"l2"} or None, default="l2"
        ½‖w‖², or nothing. The intercept is never penalised.
    alpha : float, default=0.0
        Multiplies the penalty: the ``alpha`` of SGDRegressor, that of Ridge over S.
    fit_intercept : bool, default=True
        Whether to fit b. If not, b is 0.
    learning_rate : "auto" or float, default="auto"
        The step η. "auto" takes it from the curvature of F and, where there is no safe
        constant step, from the distance covered; see Notes. A float must be positive.
    schedule : {"constant", "invscaling", "adaptive"}, default="constant"
        What becomes of a float step: η, η / t^power_t at the t-th step, or η divided by
        5 whenever F has not improved by tol for n_iter_no_change iterations.
    power_t : float, default=0.25
        The exponent of "invscaling".
    batch_size : int, default=None
        Rows a step. None is the solver's own number. An int makes gd, momentum, adagrad
        and rmsprop stochastic; n or more rows are full batch. newton takes only None.
    momentum : "auto" or float, default="auto"
        λ in [0, 1). "auto" comes from the curvature with an automatic full-batch step,
        else it is 0.9. Used by momentum.
    rho : float, default=0.9
        ρ in [0, 1). Used by rmsprop.
    eps : float, default=1e-16
        ε, inside the root (PyTorch's and Keras' 1e-8 stands outside). Relative to
        2 F₀ h_j with automatic steps. Used by adagrad and rmsprop.
    max_iter : int, default=1000
        The largest number of iterations (full batch) or epochs (stochastic).
    tol : float, default=1e-4
        Full batch: stop when max_j \|g_j\| / √h_j ≤ tol √(2 F₀), h the diagonal of H
        and F₀ the loss of the best constant. Stochastic: F is on a plateau when its
        *relative* improvement stays below tol for n_iter_no_change epochs, and an
        automatic step stops on a plateau within tol F₀ of the optimum (SGDRegressor's
        tol is absolute). None makes exactly max_iter iterations, unless one diverges.
    n_iter_no_change : int, default=5
        Iterations or epochs without improvement that make a plateau.
    average : "auto" or bool, default="auto"
        Whether a stochastic epoch is judged, and returned, by the mean of its iterates.
        "auto" is True for automatic steps and False for float steps and partial_fit.
        All rows a step can't be averaged; with n or more rows a batch it has no effect.
    shuffle : bool, default=True
        Whether to visit the rows in a new random order each epoch. Stochastic only.
    random_state : int, RandomState instance or None, default=None
        Determines the order of the rows. Stochastic only.
    warm_start : bool, default=False
        Whether fit starts from the coefficients of the last fit (with automatic steps
        only if F is lower there than at the best constant).

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        w, of the dtype of X.
    intercept_ : float
        b.
    n_iter_ : int
        Iterations or epochs made.
    t_ : int
        Steps made, over all calls of partial_fit.
    loss_ : float
        F of what is returned.
    loss_curve_ : list of float
        F at the start and after each iteration or epoch, n_iter_ + 1 values. For
        stochastic float steps with ``tol=None`` the mean of the loss during the epoch
        plus the penalty, which saves a pass over X.
    learning_rate_ : float or ndarray of shape (n_features + fit_intercept,)
        The step η of the last iteration; with automatic steps of adagrad and rmsprop,
        one for each coordinate.
    momentum_ : float
        λ, where the solver has one.
    curvature_ : tuple of (float, float)
        (μ, L), the smallest and largest eigenvalue of H, where they were computed, L
        rounded up, from 200 columns on by 1%. Where the Gram matrix takes too much time
        or memory, μ is a lower bound, 0 or alpha.
    stop_reason_ : str
        Why the fit stopped, in words.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if X has any.

    See Also
    --------
    sklearn.linear_model.SGDRegressor : SGD, one row a step, with a step to be tuned.
    sklearn.linear_model.Ridge : The same minimum by direct solvers.

    Notes
    -----
    Automatic steps, in terms of μ and L, the smallest and largest eigenvalue of H:

    - gd: min(2/(L + μ), 1.8/L);
    - momentum: 1/L, the λ that suits the condition number L/μ [1]_ [5]_, and a restart
      whenever F rises;
    - a batch of B rows: 1.5/L_B, times 1 − λ with momentum, L_B the expected smoothness
      of B random rows [3]_, halved on each plateau of F at the mean of an epoch;
    - adagrad and rmsprop: for each coordinate the distance it has covered [4]_, the
      effective step capped below its stability bound, ε relative to F₀;
    - newton: 1, repeated until it stops helping.

    What a solver does not use is validated and ignored: ``momentum`` is used by
    momentum, ``eps`` by adagrad and rmsprop, ``rho`` by rmsprop; ``shuffle``,
    ``random_state`` and ``average`` with batches; ``schedule``, ``power_t`` with float
    steps.

    References
    ----------
    .. [1] Polyak (1964), Some methods of speeding up the convergence of iteration
       methods. https://doi.org/10.1016/0041-5553(64)90137-5
    .. [2] Duchi, Hazan, Singer (2011), Adaptive Subgradient Methods for Online Learning
       and Stochastic Optimization. https://jmlr.org/papers/v12/duchi11a.html
    .. [3] Gower et al. (2019), SGD: General Analysis and Improved Rates.
       https://arxiv.org/abs/1901.09401
    .. [4] Ivgi, Hinder, Carmon (2023), DoG is SGD's Best Friend.
       https://arxiv.org/abs/2302.12022
    .. [5] Goh (2017), Why Momentum Really Works.
       https://distill.pub/2017/momentum

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_gd import GDRegressor
    >>> X, y = load_diabetes(return_X_y=True, scaled=False)
    >>> model = make_pipeline(StandardScaler(), GDRegressor("momentum")).fit(X, y)
    >>> round(model.score(X, y), 3)
    0.518
    >>> model[-1].stop_reason_
    'converged: the gradient is below tol'
    """

    _parameter_constraints = {
        "solver": [StrOptions(set(SOLVERS))],
        "loss": [StrOptions(set(LOSSES))],
        "penalty": [StrOptions(set(PENALTIES) - {None}), None],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "learning_rate": [
            StrOptions({"auto"}),
            Interval(Real, 0, None, closed="neither"),
        ],
        "schedule": [StrOptions(SCHEDULES)],
        "power_t": [Interval(Real, None, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "momentum": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="left")],
        "rho": [Interval(Real, 0, 1, closed="left")],
        "eps": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "average": [StrOptions({"auto"}), "boolean"],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
    }

    def __init__(
        self,
        solver="gd",
        *,
        loss="squared_error",
        penalty="l2",
        alpha=0.0,
        fit_intercept=True,
        learning_rate="auto",
        schedule="constant",
        power_t=0.25,
        batch_size=None,
        momentum="auto",
        rho=0.9,
        eps=1e-16,
        max_iter=1000,
        tol=1e-4,
        n_iter_no_change=5,
        average="auto",
        shuffle=True,
        random_state=None,
        warm_start=False,
    ):
        self.solver = solver
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.power_t = power_t
        self.batch_size = batch_size
        self.momentum = momentum
        self.rho = rho
        self.eps = eps
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.average = average
        self.shuffle = shuffle
        self.random_state = random_state
        self.warm_start = warm_start

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Converted to float64 unless float32, and to C order or CSR. Never modified,
            and copied only where that conversion is needed.
        y : array-like of shape (n_samples,)
            Converted to float64.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative; only their ratios matter. A weight of 0 is the same as leaving
            the row out, an integer weight the same as repeating it.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data can't be used; the message says why.

        Warns
        -----
        ConvergenceWarning
            If the fit ended before it converged, or a float step diverged.
        """
        self._check_combinations()
        start = None
        if self.warm_start and hasattr(self, "coef_"):
            start = self.coef_, self.intercept_
        data = self._validated(X, y, sample_weight, reset=start is None)
        with np.errstate(all="ignore"):
            self._fit(data, start)
        return self

    def _fit(self, data, start):
        objective = self._objective(data, None if self._is_automatic else 0.0)
        w = np.zeros(objective.size)
        if start is not None:
            w = objective.internal(*start)
            if self._is_automatic and not objective.value(w) <= objective.constant_F:
                w = np.zeros(objective.size)  # the best constant is a better start
        walk = self._walk(objective, {})
        rule = self._rule(objective, walk)
        size = SOLVERS[self.solver].size()
        stopping = Stopping(self.max_iter, self.tol, self.n_iter_no_change)
        policy = self._policy(walk, size)
        result = minimize(objective, rule, walk, policy, stopping, w)
        factor = None
        if self._is_exact_in_streams and objective.few_columns:
            factor = objective.factor()
        self._publish(objective, rule, result)
        self._remember(objective, rule, size, walk, result, factor=factor)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Make one epoch over these rows, and go on from earlier calls.

        One call is one epoch in the solver's own batches, not one step: with all rows a
        step that is one step, with sgd as many steps as there are rows. With a float
        step, k calls on the same rows equal ``fit`` with ``max_iter=k, tol=None``. An
        automatic step is bounded by the steepest rows seen so far, and a call after
        which F on its rows is higher is repeated with half the step. ``newton`` with
        automatic steps is exact: after any calls, the coefficients are those of one
        ``fit`` on all rows seen, weighted as they were.

        ``loss_`` and ``loss_curve_`` are F on these rows, at the end and before.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows of the stream.
        y : array-like of shape (n_samples,)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Their weights, not all zero.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data can't be used, or a change of parameters since
            the last call leaves nothing to go on from.

        Warns
        -----
        ConvergenceWarning
            If a float step diverged on these rows; the call is then undone.
        """
        self._validate_params()  # _fit_context skips this from the second call on
        self._check_combinations()
        stream = getattr(self, "_stream", None)
        data = self._validated(X, y, sample_weight, reset=stream is None)
        with np.errstate(all="ignore"):
            self._partial_fit(data, stream)
        return self

    def _partial_fit(self, data, stream):
        if stream is None:
            stream = {"share": 1.0, "t": 0}
            objective = self._objective(data, None if self._is_automatic else 0.0)
            w = np.zeros(objective.size)
        else:
            objective = self._objective(data, stream["offset"])
            w = stream["w"].copy()
            if len(w) != objective.size:
                raise ValueError(
                    "fit_intercept can't change between calls of partial_fit."
                )
        known = stream if stream.get("solver") == self.solver else {"share": 1.0}
        walk = self._walk(objective, stream, in_stream=True)
        rule = self._rule(objective, walk, known.get("momentum"))
        rule.state = known.get("rule", rule.state)
        size = SOLVERS[self.solver].size(**known.get("size", {}))
        share, factor, made = known["share"], None, stream["t"]
        if self._is_exact_in_streams:
            factor = self._add_rows(stream, objective)
            result = solve_exactly(objective, factor, w, made + 1)
        elif self._is_automatic:
            result, share = advance(
                objective, rule, walk, size, w, share=share, made=made
            )
        else:
            policy, one = self._policy(walk, size), Stopping(max_iter=1)
            result = minimize(
                objective, rule, walk, policy, one, w, made=made, stream=True
            )
        self._publish(objective, rule, result)
        self._remember(objective, rule, size, walk, result, share, factor)

    def _add_rows(self, stream, objective):
        """Return newton's sufficient statistics with these rows added."""
        factor = objective.factor()
        if stream["t"] == 0:
            return factor
        if stream["factor"] is None:
            raise ValueError(
                "newton's partial_fit with learning_rate='auto' needs the statistics "
                "of all rows seen, and an earlier call did not keep them (it had "
                "another solver, a float learning_rate, or too many columns). Call "
                "partial_fit on a new estimator."
            )
        return Factor(**stream["factor"]).merge(factor)

    def predict(self, X):
        """Predict the target of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            X w + b.
        """
        check_is_fitted(self)
        X = validate_data(
            self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False
        )
        return safe_sparse_dot(X, self.coef_, dense_output=True) + self.intercept_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # --- from parameters to parts -----------------------------------------------------

    def _check_combinations(self):
        solver = SOLVERS[self.solver]
        if self.learning_rate == "auto" and self.schedule != "constant":
            raise ValueError(
                f"schedule={self.schedule!r} needs a float learning_rate: automatic "
                "steps have a schedule of their own. Set learning_rate=<eta0>, or "
                "schedule='constant'."
            )
        if solver.second_order and self.batch_size is not None:
            raise ValueError(
                f"solver={self.solver!r} takes all rows a step: batch_size must be "
                f"None, got {self.batch_size!r}."
            )
        stochastic = solver.batch_size is not None or self.batch_size is not None
        if self.average is True and not stochastic:
            raise ValueError(
                f"average=True needs a stochastic solver, and solver={self.solver!r} "
                "with batch_size=None takes all rows a step. Set batch_size, or "
                "average='auto'."
            )

    def _validate_params(self):
        if isinstance(self.learning_rate, str) and self.learning_rate in {
            *SCHEDULES,
            "optimal",
            "pa1",
            "pa2",
        }:
            raise ValueError(
                f"learning_rate={self.learning_rate!r} is a schedule's name. Here "
                "learning_rate is 'auto' or the step itself: set "
                "learning_rate=<eta0> and schedule='constant', 'invscaling' or "
                "'adaptive'."
            )
        super()._validate_params()

    def _validated(self, X, y, sample_weight, reset):
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            order="C",
            y_numeric=True,
            reset=reset,
        )
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            if not sample_weight.any():  # scikit-learn checks this from 1.9 on
                raise ValueError(
                    "Sample weights must contain at least one non-zero number."
                )
        return as_data(X, y.astype(np.float64, copy=False), sample_weight)

    @property
    def _is_automatic(self):
        return self.learning_rate == "auto"

    @property
    def _is_exact_in_streams(self):
        return self._is_automatic and SOLVERS[self.solver].second_order

    def _objective(self, data, offset):
        return Objective(
            data,
            LOSSES[self.loss](),
            PENALTIES[self.penalty](self.alpha),
            self.fit_intercept,
            offset,
        )

    def _walk(self, objective, stream, in_stream=False):
        solver = SOLVERS[self.solver]
        seed, epoch = stream.get("seed"), stream.get("epoch", 0)
        batch = solver.batch_size if self.batch_size is None else self.batch_size
        if batch is None or batch >= objective.data.n:
            return AllRows(seed, solver.second_order, epoch)
        if seed is None and self.shuffle:
            rng = check_random_state(self.random_state)
            seed = int(rng.randint(np.iinfo(np.int32).max))
        average = self.average
        if average == "auto":
            average = self._is_automatic and not in_stream
        exact = self._is_automatic or (self.tol is not None and not in_stream)
        order = objective.data.order(self.shuffle)
        return Batches(batch, seed, order, average, exact, epoch)

    def _rule(self, objective, walk, momentum=None):
        solver = SOLVERS[self.solver]
        parameters = {name: getattr(self, name) for name in solver.parameters}
        if parameters.get("momentum") == "auto":
            parameters["momentum"] = _steps.MOMENTUM
            if walk.batch is None and self._is_automatic:
                if momentum is None:
                    momentum = _steps.heavy_ball_momentum(objective.curvature)
                parameters["momentum"] = momentum
        return solver.rule(objective.size, **parameters)

    def _policy(self, walk, size):
        if self._is_automatic:
            return automatic_policy(walk, size)
        return _steps.Float(self.learning_rate, self.schedule, self.power_t)

    # --- from parts to attributes -----------------------------------------------------

    def _publish(self, objective, rule, result):
        """Set the fitted attributes, and warn of what the user should know."""
        d = self.n_features_in_
        intercept = objective.offset + result.w[d] if self.fit_intercept else 0.0
        coef = result.w[:d].astype(objective.data.X.dtype)
        if not np.isfinite(coef).all():
            raise ValueError(
                "The coefficients are too large for float32. Convert X to float64."
            )
        self.coef_ = coef
        self.intercept_ = float(intercept)
        self.n_iter_ = len(result.loss_curve) - 1
        self.t_ = result.made
        self.loss_ = float(result.F)
        self.loss_curve_ = result.loss_curve
        self.stop_reason_ = result.reason
        self.learning_rate_ = float(result.eta)
        if self._is_automatic and hasattr(rule, "reach"):
            self.learning_rate_ = result.eta * np.asarray(rule.reach)
        for name, value in {
            "momentum_": getattr(rule, "momentum", None),
            "curvature_": objective.known_curvature,
        }.items():
            if value is not None:
                setattr(self, name, value)
            elif hasattr(self, name):
                delattr(self, name)
        if result.warning is not None:
            warnings.warn(result.warning, ConvergenceWarning, stacklevel=5)

    def _remember(self, objective, rule, size, walk, result, share=1.0, factor=None):
        """Keep what partial_fit goes on from: arrays, numbers and strings."""
        heavy_ball = self._is_automatic and walk.batch is None
        self._stream = {
            "solver": self.solver,
            "w": result.last.copy(),
            "offset": float(objective.offset),
            "rule": rule.state,
            "momentum": getattr(rule, "momentum", None) if heavy_ball else None,
            "size": size.memory if self._is_automatic else {},
            "seed": walk.seed,
            "epoch": walk.epoch,
            "share": share,
            "t": result.made,
            "factor": None if factor is None else vars(factor).copy(),
        }
