"""GDRegressor: parameters, validation and fitted attributes."""

import warnings
from contextlib import contextmanager
from copy import copy
from functools import cache, partial
from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import (
    BaseEstimator,
    MultiOutputMixin,
    RegressorMixin,
    _fit_context,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ShuffleSplit
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from sklearn_gd import _chunks, _collections, _messages, _steps
from sklearn_gd._callbacks import CallbackSupportMixin, Watcher
from sklearn_gd._core.losses import LOSSES, SquaredError
from sklearn_gd._core.penalties import PENALTIES, Penalty, penalty
from sklearn_gd._data import Terms, as_data, check_indices
from sklearn_gd._factor import Factor
from sklearn_gd._objective import Objective, objectives
from sklearn_gd._scale import robust_scale
from sklearn_gd._solver import (
    SOLVERS,
    advance,
    automatic_policy,
    interrupted,
    minimize,
    so_far,
    solve_exactly,
)
from sklearn_gd._state import State, Stopping, Validation
from sklearn_gd._walks import AllRows, Batches

SCHEDULES = {"constant", "invscaling", "adaptive"}
# Fitted attributes that not every fit has.
SOMETIMES = (
    "momentum_",
    "curvature_",
    "epsilon_",
    "validation_scores_",
    "coef_path_",
    "intercept_path_",
)


class GDRegressor(
    CallbackSupportMixin, MultiOutputMixin, RegressorMixin, BaseEstimator
):
    r"""Linear regression trained by the gradient methods everyone is taught.

    Minimises, over the coefficients :math:`w` and the intercept :math:`b`,

    .. math:: F(w, b) = \frac{1}{S} \sum_i s_i \, \ell(y_i, x_i \cdot w + b)
              + \alpha \, \mathrm{penalty}(w), \qquad S = \sum_i s_i

    by one of seven solvers. With ``learning_rate="auto"`` the step needs no tuning and
    no scaled data: F of what is returned is never above that of the best constant. With
    a float the iterates are exactly the textbook's, from w = 0 and b = 0. Several
    targets are fits of their own, which share the passes over X; F is then the sum of
    theirs.

    Parameters
    ----------
    solver : str, default="gd"
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

        All but newton act on each coordinate alone.
    loss : str, default="squared_error"
        The loss ℓ of the residual r = y − f.

        ===========================  ============================================  ==
        loss                         ℓ                                             ℓ″
        ===========================  ============================================  ==
        squared_error                ½ r²                                          1
        huber                        ½ r² where \|r\| ≤ ε, else ε \|r\| − ½ ε²      ≤1
        absolute_error               \|r\|                                          –
        quantile                     q r where r ≥ 0, else (q − 1) r               –
        epsilon_insensitive          max(0, \|r\| − ε)                             –
        squared_epsilon_insensitive  max(0, \|r\| − ε)²                            ≤2
        ===========================  ============================================  ==

        newton takes those that have an ℓ″.
    penalty : {"l2", "l1", "elasticnet"} or None, default="l2"
        ½‖w‖², ‖w‖₁, l1_ratio ‖w‖₁ + (1 − l1_ratio) ½‖w‖², or nothing. The intercept is
        never penalised. What l1 has no gradient for is done by a proximal step [8]_
        after each step, which makes exact zeros; newton takes only l2.
    alpha : float, default=0.0
        Multiplies the penalty: the ``alpha`` of SGDRegressor, that of Ridge over S.
    l1_ratio : float, default=0.15
        The share of ‖w‖₁ in "elasticnet", from 0 to 1.
    epsilon : "auto" or float, default="auto"
        The ε of huber and the insensitive losses, in units of y. "auto" is 1.35 (huber)
        or 0.1 times the standard deviation of the residuals of a robust fit (1.4826
        times their median size), for each target: it follows the units of y. Not the
        ``eps`` of adagrad and rmsprop.
    quantile : float, default=0.5
        The q of "quantile", between 0 and 1.
    positive : bool, default=False
        Whether the coefficients, not the intercept, must be ≥ 0. Not with newton.
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
        The λ of momentum, in [0, 1). "auto" comes from the curvature with an automatic
        full-batch step, else it is 0.9.
    rho : float, default=0.9
        The ρ of rmsprop, in [0, 1).
    eps : float, default=1e-16
        The ε of adagrad and rmsprop, inside the root (PyTorch's and Keras' 1e-8 stands
        outside). Relative to 2 F₀ h_j with automatic steps.
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
    early_stopping : bool, default=False
        Whether to hold out a part of the rows of positive weight, to stop when their
        score has not risen by tol for n_iter_no_change iterations or epochs (automatic
        steps for a loss with a kink: while one width was used up, see Notes), and to
        return the model for which it was highest. The score is D² of the loss: R² for
        the squared error, and for the others the share of the best constant's loss that
        the model saves.
    validation_fraction : float, default=0.1
        The share of the rows that is held out.
    average : "auto" or bool, default="auto"
        Whether a stochastic epoch is judged, and returned, by the mean of its iterates.
        "auto" is True for automatic steps and False for float steps and partial_fit.
        All rows a step can't be averaged; with n or more rows a batch it has no effect.
    shuffle : bool, default=True
        Whether to visit the rows in a new random order each epoch. Stochastic only.
        Where X is large, tiles of 16 neighbouring rows are put in random order and the
        rows are shuffled within groups of tiles: an epoch lowers F as much as with a
        uniform permutation, also on sorted rows, and waits less for memory.
    random_state : int, RandomState instance or None, default=None
        Determines the order of the rows and the split of early stopping.
    warm_start : bool, default=False
        Whether fit starts from the coefficients of the last fit (with automatic steps
        only if F is lower there than at the best constant).
    store_path : bool, default=False
        Whether to keep the iterates in ``coef_path_`` and ``intercept_path_``.
    verbose : int, default=0
        If not 0, a line an iteration or epoch is printed. ``set_callbacks`` shows more
        (scikit-learn 1.9 and newer).

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        w, of the dtype of X.
    intercept_ : float or ndarray of shape (n_targets,)
        The intercept b.
    epsilon_ : float or ndarray of shape (n_targets,)
        ε, where the loss has one.
    n_iter_ : int
        Iterations or epochs made; of several targets, the most.
    t_ : int
        Steps made, over all calls of partial_fit.
    loss_ : float
        F of what is returned.
    loss_curve_ : list of float
        F at the start and after each iteration or epoch, n_iter + 1 values. For
        stochastic float steps with ``tol=None`` the mean of the loss during the epoch
        plus the penalty, which saves a pass over X. A target that is done keeps its
        last F. After partial_fit, F on its rows before and after.
    learning_rate_curve_ : ndarray of shape (n_iter [, n_targets])
        The step of each iteration, of an epoch the last one: η / t^power_t where it
        fades, the part of it that newton's search kept, and with automatic steps of
        adagrad and rmsprop the factor that all coordinates share.
    validation_scores_ : list of float
        D² of the rows held out after each iteration or epoch, with ``early_stopping``
        (R² for the squared error); of several targets, the mean. −∞ where the fit
        diverged.
    coef_path_ : ndarray of shape (n_iter + 1, [n_targets, ] n_features)
        The coefficients that ``loss_curve_`` belongs to, with ``store_path``.
    intercept_path_ : ndarray of shape (n_iter + 1 [, n_targets])
        The intercepts, with ``store_path``.
    learning_rate_ : float or ndarray of shape ([n_targets] [, n_features + 1])
        The step η of the last iteration; with automatic steps of adagrad and rmsprop,
        one for each coordinate, that of the intercept, if there is one, the last.
    momentum_ : float
        λ, where the solver has one.
    curvature_ : tuple of (float, float)
        (μ, L), the smallest and largest eigenvalue of H, of the Hessian of F if that is
        constant and else of what bounds it, for the first target if there are several,
        where they were computed, L
        rounded up, from 200 columns on by 1%. Where the Gram matrix takes too much time
        or memory, μ is a lower bound, 0 or alpha.
    stop_reason_ : str
        Why the fit stopped, in words.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
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
    - adagrad [2]_ and rmsprop: for each coordinate the distance it has covered [4]_,
      the effective step capped below its stability bound, ε relative to F₀;
    - newton: 1, repeated until it stops helping; where F is no quadratic, halved until
      F falls enough [6]_, the Hessian damped where few rows have curvature.

    H stands for its bound, max ℓ″ times that of the squared error, where ℓ″ varies. A
    loss with a kink has no such bound. It is smoothed over a width, at first that of
    the residuals, which shrinks as the fit goes on [7]_; F is always that of the loss
    itself. On standardised tables of condition numbers up to 500, 1000 iterations left
    at most 1e-4 of F₀ − F* with momentum and 5e-3 with gd and adagrad, and 10,000 left
    2e-5 and 7e-4; where it is 1e4, ten times as much and more.

    What a solver does not use is validated and ignored: ``momentum`` is used by
    momentum, ``eps`` by adagrad and rmsprop, ``rho`` by rmsprop; ``epsilon`` and
    ``quantile`` by the losses above; ``l1_ratio`` by "elasticnet"; ``shuffle``,
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
    .. [6] Armijo (1966), Minimization of functions having Lipschitz continuous first
       partial derivatives. https://doi.org/10.2140/pjm.1966.16.1
    .. [7] Nesterov (2005), Smooth minimization of non-smooth functions.
       https://doi.org/10.1007/s10107-004-0552-5
    .. [8] Parikh, Boyd (2014), Proximal Algorithms.
       https://doi.org/10.1561/2400000003

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

    # Where the HTML that notebooks show links to.
    _doc_link_module = "sklearn_gd"
    _doc_link_template = (
        "https://sklearn-gd.readthedocs.io/en/latest/"
        "api.html#{estimator_module}.{estimator_name}"
    )

    _parameter_constraints = {
        "solver": [StrOptions(set(SOLVERS))],
        "loss": [StrOptions(set(LOSSES))],
        "penalty": [StrOptions(set(PENALTIES) - {None}), None],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "epsilon": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
        "positive": ["boolean"],
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
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "average": [StrOptions({"auto"}), "boolean"],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "store_path": ["boolean"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        solver="gd",
        *,
        loss="squared_error",
        penalty="l2",
        alpha=0.0,
        l1_ratio=0.15,
        epsilon="auto",
        quantile=0.5,
        positive=False,
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
        early_stopping=False,
        validation_fraction=0.1,
        average="auto",
        shuffle=True,
        random_state=None,
        warm_start=False,
        store_path=False,
        verbose=0,
    ):
        self.solver = solver
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.epsilon = epsilon
        self.quantile = quantile
        self.positive = positive
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
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.average = average
        self.shuffle = shuffle
        self.random_state = random_state
        self.warm_start = warm_start
        self.store_path = store_path
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        A fit that is interrupted leaves the estimator as it was; with ``warm_start`` or
        ``store_path`` it keeps its last iteration or epoch, to go on from.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape \
                (n_samples, n_features)
            Converted to float64 unless float32, and to C order or CSR. Never modified,
            and copied only where that conversion is needed: a file (numpy.memmap) is
            not, and the chunks of a Dask collection stay where they are.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Converted to float64. A Dask collection only where X is one.
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
        ImportError
            If X is a Dask collection, and Dask can't be imported.

        Warns
        -----
        ConvergenceWarning
            If the fit ended before it converged, or stopped with F above the optimum by
            more than 0.001 F₀ (0.01 F₀ for float steps with batches); if a float step
            diverged; or if fewer than six digits of newton's coefficients can be
            trusted. The text says how far, and what to do.
        """
        self._check_combinations()
        start = None
        if self.warm_start and hasattr(self, "coef_"):
            start = np.atleast_2d(self.coef_), np.atleast_1d(self.intercept_)
        watcher = Watcher(self, self._on_the_way)
        with self._all_or_nothing() as left, np.errstate(all="ignore"):
            data = self._validated(X, y, sample_weight, reset=start is None)
            if start is not None and len(start[0]) != len(data.Y):
                raise ValueError(
                    f"y has {len(data.Y)} targets, but warm_start=True goes on from a "
                    f"fit of {len(start[0])}. Set warm_start=False."
                )
            self._forget()
            self._fit(data, start, watcher, left, X, y)
            watcher.end_fit()
        return self

    def _fit(self, data, start, watcher, left, X, y):
        rng = check_random_state(self.random_state)
        held = None
        if self.early_stopping:
            held = self._held_out(data, rng)
            data, held = data.without(held), data.only(held)
        watcher.begin_fit(X, y, data.s, data.kept if self.early_stopping else None)
        targets = len(data.Y)
        losses = self._losses(data, [None] * targets)
        offset = None if self._is_automatic else 0.0
        found = objectives(
            data, losses, self._penalty(), self.fit_intercept, [offset] * targets
        )
        walk = self._walk(data, {}, rng)
        stopping = Stopping(self.max_iter, self.tol, self.n_iter_no_change)
        states = []
        for t, objective in enumerate(found):
            w = np.zeros(objective.size)
            if start is not None:
                w = objective.internal(*(values[t] for values in start))
                if self.positive:
                    w[: data.d] = np.maximum(w[: data.d], 0.0)
                if self._is_automatic and not objective.value(w) <= _at_constant(
                    objective
                ):
                    w = np.zeros(objective.size)  # the best constant is a better start
            size = SOLVERS[self.solver].size()
            states.append(
                State(
                    objective,
                    self._rule(objective, walk),
                    walk,
                    self._policy(walk, size, objective.loss),
                    stopping,
                    w,
                    validation=held and Validation(held, objective.terms),
                    keeps_path=self.store_path,
                )
            )
        try:
            results = minimize(states, watcher=watcher if watcher.is_needed else None)
        except KeyboardInterrupt:
            if self.warm_start or self.store_path:
                left |= self._left_by(states)
            raise
        factors = [None] * targets
        if self._is_exact_in_streams and found[0].geometry.few_columns:
            factors = [objective.factor(in_stream=False) for objective in found]
        self._publish(states, results)
        self._remember(states, results, [1.0] * targets, factors)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Make one epoch over these rows, and go on from earlier calls.

        One call is one epoch in the solver's own batches, not one step: with all rows a
        step that is one step, with sgd as many steps as there are rows. With a float
        step, k calls on the same rows equal ``fit`` with ``max_iter=k, tol=None``. An
        automatic step is bounded by the steepest rows seen so far, and a call after
        which F on its rows is higher is repeated with half the step. ``newton`` with
        automatic steps is exact: after any calls, the coefficients are those of one
        ``fit`` on all rows seen, weighted as they were, also on ill-conditioned columns
        and, of minimum norm, on few rows; it keeps O(d²) numbers, and a new ``alpha``
        takes effect at the next call, over all rows seen.

        For losses with a kink and small chunks that rule is biased, since each chunk
        has an optimum of its own (the 0.9 quantile, chunks of 50 rows: 12 to 28% of
        F₀ − F* stayed). There ``learning_rate=1.0, schedule="invscaling", power_t=0.5``
        is better on standardised columns (0.02%, in 1600 calls).

        ``loss_`` and ``loss_curve_`` are F on these rows, at the end and before.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape \
                (n_samples, n_features)
            Rows of the stream.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
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
            If a float step diverged on these rows; the call is then undone. If fewer
            than six digits of newton's coefficients can be trusted.
        """
        self._validate_params()  # _fit_context skips this from the second call on
        self._check_combinations()
        if self.early_stopping:
            raise ValueError(
                "partial_fit does not support early_stopping=True, since it can't hold "
                "rows out of a stream. Set early_stopping=False, or use fit."
            )
        stream = getattr(self, "_stream", None)
        with self._all_or_nothing(), np.errstate(all="ignore"):
            # Newton's statistics see each value: a pass to look for NaN can wait.
            trusted = self._is_exact_in_streams and sample_weight is None
            data = self._validated(X, y, sample_weight, stream is None, trusted)
            self._forget()
            try:
                self._partial_fit(data, stream)
            except ValueError:
                if trusted:
                    self._validated(X, y, sample_weight, reset=False)
                raise
        return self

    @contextmanager
    def _all_or_nothing(self):
        """Leave the estimator as it was if what follows fails or is interrupted.

        But for the attributes in the dict that is handed out.
        """
        before, left = vars(self).copy(), {}
        try:
            yield left
        except BaseException:
            if left:
                before = {k: v for k, v in before.items() if k not in SOMETIMES}
            self.__dict__ = before | left
            raise

    def _left_by(self, states):
        """Return the attributes that an interrupted fit leaves, to be gone on from.

        They are those of its last whole iterations, none if there is no such thing.
        """
        if not all(state.has_begun for state in states):
            return {}
        results = [interrupted(state) for state in states]
        found = self._attributes(states, results)
        self._remember(states, results, [1.0] * len(states), [None] * len(states))
        for name in ("n_features_in_", "feature_names_in_", "_stream"):
            if name in vars(self):
                found[name] = vars(self)[name]
        return found

    def _partial_fit(self, data, stream):
        k = len(data.Y)
        begun = stream is not None
        if not begun:
            stream = {"t": 0, "targets": [{} for _ in range(k)]}
        memories = stream["targets"]
        if len(memories) != k:
            raise ValueError(
                f"y has {k} targets, but the earlier calls of partial_fit had "
                f"{len(memories)}."
            )
        losses = self._losses(data, [memory.get("epsilon") for memory in memories])
        offsets = [None if self._is_automatic else 0.0] * k
        if begun:
            offsets = [memory["offset"] for memory in memories]
        found = objectives(data, losses, self._penalty(), self.fit_intercept, offsets)
        walk = self._walk(data, stream, self.random_state, in_stream=True)
        same_solver = begun and stream["solver"] == self.solver
        states, sizes, shares = [], [], []
        for objective, memory in zip(found, memories, strict=True):
            w = memory["w"].copy() if begun else np.zeros(objective.size)
            if len(w) != objective.size:
                raise ValueError(
                    "fit_intercept can't change between calls of partial_fit."
                )
            if self.positive:
                w[: data.d] = np.maximum(w[: data.d], 0.0)
            known = memory if same_solver else {}
            rule = self._rule(objective, walk, known.get("momentum"))
            rule.state = known.get("rule", rule.state)
            sizes.append(SOLVERS[self.solver].size(**known.get("size", {})))
            shares.append(known.get("share", 1.0))
            policy = self._policy(walk, sizes[-1], objective.loss)
            one = Stopping(max_iter=1)
            states.append(
                State(
                    objective,
                    rule,
                    walk,
                    policy,
                    one,
                    w,
                    stream["t"],
                    keeps_path=self.store_path,
                )
            )
        factors = [None] * k
        if self._is_exact_in_streams:
            factors = [
                self._add_rows(begun, memory, objective)
                for memory, objective in zip(memories, found, strict=True)
            ]
            results = [
                solve_exactly(state, factor)
                for state, factor in zip(states, factors, strict=True)
            ]
            walk.epoch += 1
        elif self._is_automatic:
            epoch, results = walk.epoch, []
            for t, state in enumerate(states):
                walk.epoch = epoch
                width = memories[t].get("width", state.objective.deviation)
                state.objective.loss.width = self._width(state, width * shares[t])
                result, shares[t] = advance(state, sizes[t], shares[t])
                results.append(result)
        else:
            results = minimize(states, stream=True)
        if self.verbose:
            print(_messages.progress(states))
        self._publish(states, results)
        self._remember(states, results, shares, factors, memories)

    @staticmethod
    def _width(state, width):
        """Return what to smooth a kink over in a stream: less where steps shrank."""
        return 0.0 if state.objective.loss.has_second else width

    def _add_rows(self, begun, memory, objective):
        """Return newton's sufficient statistics with these rows added."""
        before = None
        if begun:
            if memory["factor"] is None:
                raise ValueError(
                    "newton's partial_fit with learning_rate='auto' needs the "
                    "statistics of all rows seen, and an earlier call did not keep "
                    "them (it had another solver, a float learning_rate, or too many "
                    "columns). Call partial_fit on a new estimator."
                )
            before = Factor.known(memory["factor"])
        factor = objective.factor(before)
        if not np.isfinite(factor.weight):
            raise ValueError(
                "The sum of all sample weights seen is too large. Divide them by a "
                "constant."
            )
        return factor

    def predict(self, X):
        """Predict the target of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape \
                (n_samples, n_features)
            Samples.

        Returns
        -------
        y : ndarray or Dask array of shape (n_samples,) or (n_samples, n_targets)
            X w + b; of a Dask collection nothing is computed yet.
        """
        check_is_fitted(self)
        of_rows = partial(_predictions, self.coef_.T, self.intercept_)
        if _collections.is_chunked(X):
            self._validate_columns(X, reset=False)
            return _collections.lazily(of_rows, X)
        X = validate_data(
            self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False
        )
        return of_rows(X)

    def score(self, X, y, sample_weight=None):
        """Return R², the coefficient of determination, of the predictions.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape \
                (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Their weights.

        Returns
        -------
        score : float
            1 − Σ s (y − f)² / Σ s (y − ȳ)²; of several targets, the mean. Of a Dask
            collection it is summed where its chunks are.
        """
        if not _collections.is_chunked(X):
            return super().score(X, y, sample_weight)
        check_is_fitted(self)
        self._validate_columns(X, reset=False)
        data = _chunks.as_chunks(X, y, sample_weight)
        if isinstance(data, tuple):
            return super().score(*data)
        coefficients = np.atleast_2d(self.coef_)
        if len(data.Y) != len(coefficients):
            raise ValueError(
                f"y has {len(data.Y)} targets, but the fit had {len(coefficients)}."
            )
        intercepts = np.broadcast_to(self.intercept_, len(coefficients))
        scores = []
        for t, w in enumerate(np.column_stack([coefficients, intercepts])):
            terms = Terms(SquaredError(), Penalty(), fit_intercept=True, target=t)
            scores.append(Validation(data, terms).score(w.astype(np.float64)))
        return float(np.mean(scores))

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
        if solver.second_order:
            self._check_newton()
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

    def _check_newton(self):
        if not LOSSES[self.loss].has_second:
            smooth = sorted(name for name in LOSSES if LOSSES[name].has_second)
            raise ValueError(
                f"solver='newton' needs a loss with a second derivative, and "
                f"loss={self.loss!r} has none. Use one of the losses {smooth}, or "
                f"another solver: {_first_order()}."
            )
        if not self._penalty().is_smooth:
            what = f"penalty={self.penalty!r}"
            if self.positive:
                what = "positive=True"
            raise ValueError(
                f"solver='newton' can't take {what}, which is not smooth. Use "
                "penalty='l2' or None and positive=False, or another solver: "
                f"{_first_order()}."
            )

    @classmethod
    @cache
    def _get_param_names(cls):
        # Each fit asks, and inspecting the signature anew shows in small ones.
        return super()._get_param_names()

    def _validate_params(self):
        if self.loss == "huber" and self.epsilon == 0:
            raise ValueError(
                "loss='huber' needs epsilon > 0: with 0 it has no slope. Use "
                "epsilon='auto', or loss='absolute_error'."
            )
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

    def _validated(self, X, y, sample_weight, reset, trusted=False):
        if _collections.is_chunked(X):
            self._validate_columns(X, reset)
            if y is None:
                validate_data(self, X, y, skip_check_array=True)  # says what it misses
            data = _chunks.as_chunks(X, y, sample_weight)
            if not isinstance(data, tuple):
                self._is_vector = np.ndim(y) == 1
                return data
            X, y, sample_weight = data
        if issparse(y):
            raise TypeError("Sparse targets are not supported. Use y.toarray().")
        if issparse(X) and X.format != "csr":  # of which as_data does it
            check_indices(X)
        try:
            X, y = validate_data(
                self,
                X,
                y,
                accept_sparse="csr",
                dtype=[np.float64, np.float32],
                order="C",
                multi_output=True,
                y_numeric=True,
                reset=reset,
                ensure_all_finite=not trusted,
            )
        except OverflowError as error:  # Python's integers have no end
            raise ValueError(f"X or y is too large for float64: {error}") from error
        self._is_vector = y.ndim == 1
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            if not sample_weight.any():  # scikit-learn checks this from 1.9 on
                raise ValueError(
                    "Sample weights must contain at least one non-zero number."
                )
        return as_data(X, y.astype(np.float64, copy=False), sample_weight)

    def _validate_columns(self, X, reset):
        """Check the number and the names of the columns of a Dask collection."""
        validate_data(
            self, _collections.stand_in(X), skip_check_array=True, reset=reset
        )

    @property
    def _is_automatic(self):
        return self.learning_rate == "auto"

    @property
    def _is_exact_in_streams(self):
        return self._is_automatic and SOLVERS[self.solver].second_order

    def _penalty(self):
        return penalty(self.penalty, self.alpha, self.l1_ratio, self.positive)

    def _losses(self, data, epsilons):
        """Return a loss for each target; an epsilon that is known stays as it is."""
        kind, losses = LOSSES[self.loss], []
        for t, epsilon in enumerate(epsilons):
            given = {name: getattr(self, name) for name in kind.parameters}
            if given.get("epsilon") == "auto":
                if epsilon is None:
                    scale = robust_scale(data, t, self.fit_intercept)
                    epsilon = kind.auto_epsilon * scale
                given["epsilon"] = epsilon
            losses.append(kind(**given))
        return losses

    def _fitted_objective(self, X, y, sample_weight, target):
        """Return F of one target on these rows, with the epsilon that fit found."""
        with np.errstate(all="ignore"):
            # A copy, since validation takes note of what it sees.
            data = copy(self)._validated(X, y, sample_weight, reset=False)
            targets = len(np.atleast_2d(self.coef_))
            if len(data.Y) != targets:
                raise ValueError(
                    f"y has {len(data.Y)} targets, but the fit had {targets}."
                )
            epsilons = getattr(self, "epsilon_", [None] * targets)
            loss = self._losses(data, np.atleast_1d(epsilons))[target]
            return Objective(
                data, loss, self._penalty(), self.fit_intercept, target=target
            )

    def _held_out(self, data, rng):
        """Return the rows of positive weight that early stopping holds out."""
        rows = np.arange(data.Y.shape[1]) if data.kept is None else data.kept
        split = ShuffleSplit(1, test_size=self.validation_fraction, random_state=rng)
        try:
            held = next(split.split(rows))[1]
        except ValueError as error:
            raise ValueError(
                f"early_stopping=True can't hold out a part of {len(rows)} rows of "
                f"positive weight: {error}"
            ) from error
        return np.sort(rows[held])

    def _walk(self, data, stream, rng, in_stream=False):
        solver = SOLVERS[self.solver]
        seed, epoch = stream.get("seed"), stream.get("epoch", 0)
        batch = solver.batch_size if self.batch_size is None else self.batch_size
        if batch is None or batch >= data.n:
            return AllRows(seed, solver.second_order, epoch)
        if seed is None and self.shuffle:
            # A generator takes as long to make as a small chunk's epoch.
            rng = check_random_state(rng)
            seed = int(rng.randint(np.iinfo(np.int32).max))
        average = self.average
        if average == "auto":
            average = self._is_automatic and not in_stream
        exact = self._is_automatic or (self.tol is not None and not in_stream)
        return Batches(batch, seed, data.order(self.shuffle), average, exact, epoch)

    def _rule(self, objective, walk, momentum=None):
        solver = SOLVERS[self.solver]
        parameters = {name: getattr(self, name) for name in solver.rule.parameters}
        if parameters.get("momentum") == "auto":
            parameters["momentum"] = _steps.MOMENTUM
            if walk.batch is None and self._is_automatic:
                if momentum is None:
                    momentum = _steps.heavy_ball_momentum(objective.curvature)
                parameters["momentum"] = momentum
        rule = solver.rule(objective.size, **parameters)
        rule.end_with_prox(objective.penalty, objective.data.d)
        return rule

    def _policy(self, walk, size, loss):
        if self._is_automatic:
            return automatic_policy(walk, size, loss)
        return _steps.Float(self.learning_rate, self.schedule, self.power_t)

    # --- from parts to attributes -----------------------------------------------------

    def _publish(self, states, results):
        """Set the fitted attributes, and warn of what the user should know."""
        found = self._attributes(states, results)
        F = [result.F for result in results]
        if not (np.isfinite(found["intercept_"]).all() and np.isfinite(F).all()):
            raise ValueError(
                "F is not finite: X, y or the parameters are too large. Divide the "
                "columns, or y, by a constant."
            )
        if not np.isfinite(found["coef_"]).all():
            raise ValueError(
                "The coefficients are too large for float32. Convert X to float64."
            )
        vars(self).update(found)
        for text in _messages.of_fits(states, results):
            warnings.warn(text, ConvergenceWarning, stacklevel=5)

    def _on_the_way(self, states):
        """Return the fitted attributes of a fit that goes on, None if it diverged.

        They are those of the iterate that the last value of ``loss_curve_`` belongs to.
        """
        found = self._attributes(states, [so_far(state) for state in states])
        values = [found["loss_"], *np.ravel(found["intercept_"])]
        finite = np.isfinite(values).all() and np.isfinite(found["coef_"]).all()
        return found if finite else None

    def _forget(self):
        """Drop the attributes that the fit which begins may not have."""
        for name in SOMETIMES:
            vars(self).pop(name, None)

    def _attributes(self, states, results):
        """Return the fitted attributes by name."""
        objective, rule = states[0].objective, states[0].rule
        dtype = objective.data.X.dtype
        w = [result.w[: self.n_features_in_] for result in results]
        intercepts = [
            self._intercept(*pair) for pair in zip(states, results, strict=True)
        ]
        curves = _as_long([result.loss_curve for result in results])
        rates = np.array(_as_long([result.rates for result in results]))
        found = {
            "coef_": self._of_targets(np.array(w, dtype=dtype)),
            "intercept_": self._of_targets(intercepts),
            "loss_": float(sum(result.F for result in results)),
            "loss_curve_": np.array(curves).sum(axis=0).tolist(),
            "n_iter_": rates.shape[1],
            "t_": max(result.made for result in results),
            "learning_rate_curve_": rates[0] if self._is_vector else rates.T,
            "stop_reason_": max(results, key=lambda r: len(r.loss_curve)).reason,
            "momentum_": getattr(rule, "momentum", None),
            "curvature_": objective.known_curvature,
        }
        if rates.size > 0:
            found["learning_rate_"] = self._of_targets(self._last_steps(states, rates))
        epsilons = [getattr(state.objective.loss, "epsilon", None) for state in states]
        if epsilons[0] is not None:
            found["epsilon_"] = self._of_targets(epsilons)
        scores = [result.scores for result in results if result.scores]
        if scores:
            found["validation_scores_"] = np.mean(_as_long(scores), axis=0).tolist()
        if results[0].path:
            paths = np.array(_as_long([result.path for result in results]))
            split = self._split(states, paths, dtype)
            found["coef_path_"], found["intercept_path_"] = split
        return {name: value for name, value in found.items() if value is not None}

    def _of_targets(self, values):
        """Return what there is for each target, itself if y is a vector."""
        return values[0] if self._is_vector else np.array(values)

    def _last_steps(self, states, rates):
        if not (self._is_automatic and hasattr(states[0].rule, "reach")):
            return rates[:, -1].tolist()
        return [
            rate * np.asarray(state.rule.reach)
            for rate, state in zip(rates[:, -1], states, strict=True)
        ]

    def _intercept(self, state, result):
        if not self.fit_intercept:
            return 0.0
        return state.objective.intercept(result.w)

    def _split(self, states, paths, dtype):
        """Return the coefficients and the intercepts of paths (k, n_iter + 1, size)."""
        d = self.n_features_in_
        coef = paths[:, :, :d].transpose(1, 0, 2).astype(dtype)
        intercept = np.zeros(paths.shape[:2]).T
        if self.fit_intercept:
            offsets = np.array([state.objective.offset for state in states])
            intercept = paths[:, :, d].T + offsets
            for t, state in enumerate(states):
                if state.objective.intercept_left is not None:
                    intercept[-1, t] = state.objective.intercept(paths[t, -1])
        if self._is_vector:
            return coef[:, 0], intercept[:, 0]
        return coef, intercept

    def _remember(self, states, results, shares, factors, memories=None):
        """Keep what partial_fit goes on from: arrays, numbers and strings."""
        walk = states[0].walk
        heavy_ball = self._is_automatic and walk.batch is None
        targets = []
        for t, (state, result) in enumerate(zip(states, results, strict=True)):
            size = getattr(state.policy, "size", None)
            factor = factors[t]
            targets.append(
                {
                    "w": result.last.copy(),
                    "offset": float(state.objective.offset),
                    "epsilon": getattr(state.objective.loss, "epsilon", None),
                    "width": (memories[t] if memories else {}).get(
                        "width", float(state.objective.deviation)
                    ),
                    "rule": state.rule.state,
                    "momentum": getattr(state.rule, "momentum", None)
                    if heavy_ball
                    else None,
                    "size": size.memory if size is not None else {},
                    "share": shares[t],
                    "factor": None if factor is None else factor.state,
                }
            )
        self._stream = {
            "solver": self.solver,
            "seed": walk.seed,
            "epoch": walk.epoch,
            "t": max(result.made for result in results),
            "targets": targets,
        }


def _predictions(w, intercept, X):
    return safe_sparse_dot(X, w, dense_output=True) + intercept


def _first_order():
    return ", ".join(name for name in SOLVERS if not SOLVERS[name].second_order)


def _as_long(lists):
    """Return lists made as long as the longest, by repeating their last element."""
    longest = max(map(len, lists))
    return [values + values[-1:] * (longest - len(values)) for values in lists]


def _at_constant(objective):
    return objective.value(np.zeros(objective.size))
