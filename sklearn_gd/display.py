"""Pictures of fits: loss curves, paths over the contours of F, and coefficients.

They read fitted attributes, in scikit-learn's manner: ``from_estimator`` or
``from_estimators``, then ``plot``. matplotlib is imported only when one is drawn.
"""

import warnings
from numbers import Integral

import numpy as np
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils.validation import check_is_fitted

from sklearn_gd._factor import EPS
from sklearn_gd._regressor import GDRegressor
from sklearn_gd._solver import SOLVERS
from sklearn_gd._steps import DIVERGED

# The colours of Okabe and Ito (2008) that are dark enough on white. Line styles and
# markers say the same without colour; their numbers have no common divisor, so that the
# first 28 curves differ.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9"]
LINES = ["-", "--", "-.", (0, (1, 1.2))]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
# Of F at the start, how far below a given optimum rounding may lead.
TOLERANCE = 1e-9
# What the contours of F depend on.
OBJECTIVE = (
    "loss",
    "penalty",
    "alpha",
    "l1_ratio",
    "epsilon",
    "quantile",
    "positive",
    "fit_intercept",
)


class LossCurveDisplay:
    """F over the iterations or epochs of one or several fits.

    It is recommended to use :meth:`from_estimator` or :meth:`from_estimators` to create
    a display.

    Parameters
    ----------
    loss_curves : list of array-like of shape (n_iter + 1,)
        F at the start and after each iteration, for each fit.
    names : list of str
        What the legend calls them.
    optimum : float, default=None
        F*; if given, the gap F − F* is drawn.
    returned : list of (int or None), default=None
        The iteration, if any, that early stopping went back to, for each fit.
    unit : str, default="iteration"
        What a step along the x axis is.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        The curves.
    line_ : matplotlib Line2D
        The first of them.
    returned_lines_ : list of matplotlib Line2D
        The markers of early stopping.
    ax_ : matplotlib Axes
        The axes with the curves.
    figure_ : matplotlib Figure
        The figure that holds them.

    See Also
    --------
    TrajectoryDisplay : The paths of fits over the contours of F.
    CoefPathDisplay : The coefficients over the iterations.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_gd import GDRegressor, LossCurveDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> X *= 20  # the columns have deviations of about 1 then
    >>> fits = [GDRegressor(name).fit(X, y) for name in ("momentum", "newton")]
    >>> display = LossCurveDisplay.from_estimators(fits, optimum="best")
    >>> [line.get_label() for line in display.lines_]
    ['momentum', 'newton']
    """

    def __init__(
        self, *, loss_curves, names, optimum=None, returned=None, unit="iteration"
    ):
        self.loss_curves = loss_curves
        self.names = names
        self.optimum = optimum
        self.returned = returned
        self.unit = unit

    @classmethod
    def from_estimator(
        cls, estimator, *, optimum=None, name=None, yscale="log", ax=None, line_kw=None
    ):
        """Draw the loss curve of one fit.

        Parameters
        ----------
        estimator : GDRegressor or Pipeline
            Fitted; of a pipeline, the last step is meant.
        optimum : float or "best", default=None
            F*, to draw the gap F − F*; "best" is the lowest F of the curve.
        name : str, default=None
            For the legend; None is the solver's.
        yscale : {"log", "linear"}, default="log"
            Scale of the y axis.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.
        line_kw : dict, default=None
            For ``ax.plot``.

        Returns
        -------
        display : LossCurveDisplay
            The display, drawn.
        """
        return cls.from_estimators(
            [estimator],
            optimum=optimum,
            names=None if name is None else [name],
            yscale=yscale,
            ax=ax,
            line_kw=line_kw,
        )

    @classmethod
    def from_estimators(
        cls,
        estimators,
        *,
        optimum=None,
        names=None,
        yscale="log",
        ax=None,
        line_kw=None,
    ):
        """Draw the loss curves of several fits.

        Parameters
        ----------
        estimators : list of GDRegressor or Pipeline
            Fitted; of a pipeline, the last step is meant. Their F should be the same:
            one loss, penalty and alpha, and the same rows.
        optimum : float or "best", default=None
            F*, to draw the gap F − F*; "best" is the lowest F of all the curves.
        names : list of str, default=None
            For the legend; None is the solvers, and if those are not unique, also the
            parameters in which the estimators differ.
        yscale : {"log", "linear"}, default="log"
            Scale of the y axis.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.
        line_kw : dict, default=None
            For ``ax.plot``, for all curves.

        Returns
        -------
        display : LossCurveDisplay
            The display, drawn.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimators")
        models = _last_steps(estimators)
        names = _names(models, names)
        curves = [np.asarray(model.loss_curve_) for model in models]
        if isinstance(optimum, str):
            if optimum != "best":
                raise ValueError(
                    f"optimum must be None, a number or 'best', got {optimum!r}."
                )
            # A curve that diverged may end in NaN.
            losses = [model.loss_ for model in models]
            optimum = float(np.nanmin(np.concatenate([*curves, losses])))
        for name, model in zip(names, models, strict=True):
            if (
                optimum is not None
                and model.loss_ < optimum - TOLERANCE * model.loss_curve_[0]
            ):
                raise ValueError(
                    f"optimum={optimum!r} is above F of {name!r}, which came down to "
                    f"{model.loss_!r}. Give the minimum of F, or optimum='best'."
                )
        display = cls(
            loss_curves=curves,
            names=names,
            optimum=optimum,
            returned=[_returned(model) for model in models],
            unit=_unit(models),
        )
        return display.plot(yscale=yscale, ax=ax, line_kw=line_kw)

    def plot(self, ax=None, *, yscale="log", line_kw=None):
        """Draw the curves.

        Gaps below the rounding of F are drawn at it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.
        yscale : {"log", "linear"}, default="log"
            Scale of the y axis.
        line_kw : dict, default=None
            For ``ax.plot``, for all curves.

        Returns
        -------
        display : LossCurveDisplay
            The display itself.
        """
        ax = _axes(ax, self)
        self.ax_, self.figure_ = ax, ax.figure
        self.lines_, self.returned_lines_ = [], []
        returned = self.returned or [None] * len(self.loss_curves)
        for k, (curve, name) in enumerate(
            zip(self.loss_curves, self.names, strict=True)
        ):
            F = self._gap(curve)
            style = _style(k) | {"markevery": (0.03 * k % 0.15, 0.15), "markersize": 5}
            (line,) = ax.plot(F, **(style | {"label": name} | (line_kw or {})))
            self.lines_.append(line)
            if returned[k] is not None:
                (marker,) = ax.plot(
                    returned[k],
                    F[returned[k]],
                    linestyle="none",
                    marker="o",
                    markersize=12,
                    markerfacecolor="none",
                    markeredgewidth=1.8,
                    color=line.get_color(),
                    zorder=3,
                    label="_" if self.returned_lines_ else "returned by early stopping",
                )
                self.returned_lines_.append(marker)
        self.line_ = self.lines_[0]
        ax.set_yscale(yscale, **({"nonpositive": "mask"} if yscale == "log" else {}))
        ax.set_xlabel(self.unit)
        ax.set_ylabel("F" if self.optimum is None else "F − F*")
        ax.legend(frameon=False)
        return self

    def _gap(self, curve):
        F = np.asarray(curve, dtype=float)
        if self.optimum is None:
            return F
        gap, rounding = F - self.optimum, EPS * F[0]
        # The mean of a changing model's losses may be lower than any model's.
        gap[gap < -TOLERANCE * F[0]] = np.nan
        return np.maximum(gap, rounding)


class TrajectoryDisplay:
    """The paths of one or several fits over the contours of F in two coefficients.

    It is recommended to use :meth:`from_estimator` or :meth:`from_estimators` to create
    a display.

    Parameters
    ----------
    xx0, xx1 : ndarray of shape (grid_resolution, grid_resolution)
        The two coefficients, as made by :func:`numpy.meshgrid`.
    response : ndarray of shape (grid_resolution, grid_resolution)
        F there, the intercept at its optimum.
    paths : list of ndarray of shape (n_iter + 1, 2)
        The iterates of each fit, up to the one that it returned.
    names : list of str
        What the legend calls the fits.
    feature_names : (str, str)
        The two columns.
    optimum : ndarray of shape (2,), default=None
        Where F is lowest.

    Attributes
    ----------
    contour_ : matplotlib QuadContourSet
        The contours of F.
    lines_ : list of matplotlib Line2D
        The paths.
    line_ : matplotlib Line2D
        The first of them.
    ax_ : matplotlib Axes
        The axes with the picture.
    figure_ : matplotlib Figure
        The figure that holds them.

    See Also
    --------
    LossCurveDisplay : F over the iterations.
    CoefPathDisplay : The coefficients over the iterations.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_gd import GDRegressor, TrajectoryDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> X = 20 * X[["s1", "s2"]]
    >>> fits = [
    ...     GDRegressor(solver, store_path=True).fit(X, y)
    ...     for solver in ("gd", "momentum")
    ... ]
    >>> display = TrajectoryDisplay.from_estimators(fits, X, y)
    >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
    ('coefficient of s1', 'coefficient of s2')
    """

    def __init__(
        self, *, xx0, xx1, response, paths, names, feature_names, optimum=None
    ):
        self.xx0 = xx0
        self.xx1 = xx1
        self.response = response
        self.paths = paths
        self.names = names
        self.feature_names = feature_names
        self.optimum = optimum

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        features=(0, 1),
        sample_weight=None,
        target=0,
        others="optimum",
        limits=None,
        grid_resolution=50,
        name=None,
        levels=12,
        ax=None,
        contour_kw=None,
        line_kw=None,
    ):
        """Draw the path of one fit over the contours of its F.

        Parameters
        ----------
        estimator : GDRegressor or Pipeline
            Fitted with ``store_path=True``. F is its own: its loss, penalty and alpha,
            on the rows given here, those that early stopping held out included. A
            pipeline's earlier steps transform X.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows that it was fitted on.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their targets.
        features : tuple of (int or str, int or str), default=(0, 1)
            The columns, or their names, whose coefficients are drawn.
        sample_weight : array-like of shape (n_samples,), default=None
            The weights of the fit.
        target : int, default=0
            Which target to draw, if there are several.
        others : {"optimum", "fitted"}, default="optimum"
            Where the other coefficients are held: where F is lowest, or as fitted. The
            intercept is always at its optimum, given the coefficients.
        limits : tuple of two pairs of float, default=None
            The range of each coefficient. None shows the whole path.
        grid_resolution : int, default=50
            Points a side at which F is computed.
        name : str, default=None
            For the legend; None is the solver's.
        levels : int or array-like, default=12
            The contours: values of F, or how many, which are then in geometric
            progression above the minimum.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.
        contour_kw : dict, default=None
            For ``ax.contour``.
        line_kw : dict, default=None
            For ``ax.plot``.

        Returns
        -------
        display : TrajectoryDisplay
            The display, drawn.
        """
        return cls.from_estimators(
            [estimator],
            X,
            y,
            features=features,
            sample_weight=sample_weight,
            target=target,
            others=others,
            limits=limits,
            grid_resolution=grid_resolution,
            names=None if name is None else [name],
            levels=levels,
            ax=ax,
            contour_kw=contour_kw,
            line_kw=line_kw,
        )

    @classmethod
    def from_estimators(
        cls,
        estimators,
        X,
        y,
        *,
        features=(0, 1),
        sample_weight=None,
        target=0,
        others="optimum",
        limits=None,
        grid_resolution=50,
        names=None,
        levels=12,
        ax=None,
        contour_kw=None,
        line_kw=None,
    ):
        """Draw the paths of several fits over the contours of their common F.

        Parameters
        ----------
        estimators : list of GDRegressor or Pipeline
            Fitted with ``store_path=True`` on the same data, with the same loss,
            penalty, alpha and fit_intercept. F is theirs, on the rows given here, those
            that early stopping held out included. A pipeline's earlier steps transform
            X.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows that they were fitted on.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their targets.
        features : tuple of (int or str, int or str), default=(0, 1)
            The columns, or their names, whose coefficients are drawn.
        sample_weight : array-like of shape (n_samples,), default=None
            The weights of the fits.
        target : int, default=0
            Which target to draw, if there are several.
        others : {"optimum", "fitted"}, default="optimum"
            Where the other coefficients are held: where F is lowest, or as the first
            estimator has them. The intercept is always at its optimum, given the
            coefficients.
        limits : tuple of two pairs of float, default=None
            The range of each coefficient. None shows the whole paths.
        grid_resolution : int, default=50
            Points a side at which F is computed.
        names : list of str, default=None
            For the legend; None is the solvers, and if those are not unique, also the
            parameters in which the estimators differ.
        levels : int or array-like, default=12
            The contours: values of F, or how many, which are then in geometric
            progression above the minimum.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.
        contour_kw : dict, default=None
            For ``ax.contour``.
        line_kw : dict, default=None
            For ``ax.plot``, for all paths.

        Returns
        -------
        display : TrajectoryDisplay
            The display, drawn.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimators")
        if others not in ("optimum", "fitted"):
            raise ValueError(f"others must be 'optimum' or 'fitted', got {others!r}.")
        models = _last_steps(estimators)
        paths = [_path(model, target) for model in models]
        _check_same_objective(models)
        X = _common_table(estimators, X)
        first = models[0]
        pair, feature_names = _pair(first, estimators[0], features)
        objective = first._fitted_objective(X, y, sample_weight, target)
        coefs, optimum = np.atleast_2d(first.coef_)[target], None
        if others == "optimum":
            coefs = _minimum(first, objective, X, sample_weight)
            optimum = coefs[pair]
        paths = [path[:, pair].astype(float) for path in paths]
        if limits is None:
            seen = [*paths, np.atleast_2d(coefs[pair])]
            limits = [_range(values) for values in np.concatenate(seen).T]
        sides = [np.linspace(*limits[k], grid_resolution) for k in (0, 1)]
        xx0, xx1 = np.meshgrid(*sides)
        display = cls(
            xx0=xx0,
            xx1=xx1,
            response=objective.over_plane(coefs, pair, *sides),
            paths=paths,
            names=_names(models, names),
            feature_names=feature_names,
            optimum=optimum,
        )
        return display.plot(
            levels=levels, ax=ax, contour_kw=contour_kw, line_kw=line_kw
        )

    def plot(self, ax=None, *, levels=12, contour_kw=None, line_kw=None):
        """Draw the contours and the paths.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.
        levels : int or array-like, default=12
            The contours: values of F, or how many, which are then in geometric
            progression above the minimum.
        contour_kw : dict, default=None
            For ``ax.contour``.
        line_kw : dict, default=None
            For ``ax.plot``, for all paths.

        Returns
        -------
        display : TrajectoryDisplay
            The display itself.
        """
        ax = _axes(ax, self)
        self.ax_, self.figure_ = ax, ax.figure
        if np.ndim(levels) == 0:
            levels = self._levels(levels)
        style = {"levels": levels, "colors": "0.65", "linewidths": 0.8}
        style |= contour_kw or {}
        if "cmap" in style:
            del style["colors"]
        self.contour_ = ax.contour(self.xx0, self.xx1, self.response, **style)
        self.lines_ = []
        for k, (path, name) in enumerate(zip(self.paths, self.names, strict=True)):
            style = _style(k) | {"markersize": 4, "markevery": 0.02, "label": name}
            (line,) = ax.plot(*path.T, **(style | (line_kw or {})))
            self.lines_.append(line)
        self.line_ = self.lines_[0]
        if self.optimum is not None:
            ax.plot(
                *self.optimum,
                linestyle="none",
                marker="*",
                markersize=13,
                color="black",
                markeredgecolor="white",
                zorder=3,
                label="minimum of F",
            )
        ax.set_xlim(self.xx0.min(), self.xx0.max())
        ax.set_ylim(self.xx1.min(), self.xx1.max())
        ax.set_xlabel(f"coefficient of {self.feature_names[0]}")
        ax.set_ylabel(f"coefficient of {self.feature_names[1]}")
        ax.legend()
        return self

    def _levels(self, count):
        lowest, highest = np.nanmin(self.response), np.nanmax(self.response)
        gaps = (highest - lowest) * np.geomspace(1e-3, 0.9, count)
        levels = np.unique(lowest + gaps)
        return levels if len(levels) > 1 else [lowest]


class CoefPathDisplay:
    """The coefficients of a fit over its iterations or epochs.

    It is recommended to use :meth:`from_estimator` to create a display.

    Parameters
    ----------
    coef_path : ndarray of shape (n_iter + 1, n_features)
        The coefficients at the start and after each iteration.
    feature_names : list of str
        The columns.
    unit : str, default="iteration"
        What a step along the x axis is.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        A line for each column, in the order of the columns.
    line_ : matplotlib Line2D
        The first of them.
    ax_ : matplotlib Axes
        The axes with the lines.
    figure_ : matplotlib Figure
        The figure that holds them.

    See Also
    --------
    LossCurveDisplay : F over the iterations.
    TrajectoryDisplay : The paths of fits over the contours of F.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_gd import CoefPathDisplay, GDRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = GDRegressor("momentum", store_path=True).fit(20 * X, y)
    >>> display = CoefPathDisplay.from_estimator(model)
    >>> [line.get_label() for line in display.lines_][:4]
    ['age', 'sex', 'bmi', 'bp']
    """

    def __init__(self, *, coef_path, feature_names, unit="iteration"):
        self.coef_path = coef_path
        self.feature_names = feature_names
        self.unit = unit

    @classmethod
    def from_estimator(
        cls, estimator, *, target=0, max_labels=10, ax=None, line_kw=None
    ):
        """Draw the coefficients of one fit.

        Parameters
        ----------
        estimator : GDRegressor or Pipeline
            Fitted with ``store_path=True``; of a pipeline, the last step is meant.
        target : int, default=0
            Which target to draw, if there are several.
        max_labels : int, default=10
            How many columns have a colour and a place in the legend, those of the
            largest coefficients. The others are grey.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.
        line_kw : dict, default=None
            For ``ax.plot``, for all lines.

        Returns
        -------
        display : CoefPathDisplay
            The display, drawn.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        (model,) = _last_steps([estimator])
        display = cls(
            coef_path=_whole_path(model, target),
            feature_names=_feature_names(model, estimator),
            unit=_unit([model]),
        )
        return display.plot(max_labels=max_labels, ax=ax, line_kw=line_kw)

    def plot(self, ax=None, *, max_labels=10, line_kw=None):
        """Draw the coefficients.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.
        max_labels : int, default=10
            How many columns have a colour and a place in the legend, those of the
            largest coefficients. The others are grey.
        line_kw : dict, default=None
            For ``ax.plot``, for all lines.

        Returns
        -------
        display : CoefPathDisplay
            The display itself.
        """
        ax = _axes(ax, self)
        self.ax_, self.figure_ = ax, ax.figure
        largest = np.argsort(-np.abs(self.coef_path[-1]), kind="stable")
        labelled = sorted(largest[:max_labels])
        self.lines_, others = [], len(largest) - len(labelled)
        for j, name in enumerate(self.feature_names):
            if j in labelled:
                k = labelled.index(j)
                every = 0.02 * k % 0.15, 0.15
                style = _style(k) | {"markevery": every, "markersize": 5, "label": name}
            else:
                style = {"color": "0.75", "linewidth": 0.8, "zorder": 1}
                style["label"] = "_"
                if others:
                    style["label"] = "1 other" if others == 1 else f"{others} others"
                others = 0
            (line,) = ax.plot(self.coef_path[:, j], **(style | (line_kw or {})))
            self.lines_.append(line)
        self.line_ = self.lines_[0]
        ax.set_xlabel(self.unit)
        ax.set_ylabel("coefficient")
        handles = sorted(self.lines_, key=lambda line: line.get_zorder(), reverse=True)
        handles = [line for line in handles if not line.get_label().startswith("_")]
        if handles:
            place = {"loc": "best", "ncols": 1 + len(handles) // 20}
            if self.figure_.get_layout_engine() is not None:
                # Beside the axes, where no line is, and the layout makes room.
                place |= {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
            ax.legend(handles=handles, frameon=False, **place)
        return self


# --- reading estimators ---------------------------------------------------------------


def _last_steps(estimators):
    """Return the fitted GDRegressors, those of pipelines being their last steps."""
    if isinstance(estimators, (GDRegressor, Pipeline)):
        raise ValueError(
            "estimators must be a list of estimators: for one, use from_estimator."
        )
    models = [e[-1] if isinstance(e, Pipeline) else e for e in estimators]
    if not models:
        raise ValueError("estimators must hold at least one estimator.")
    for model in models:
        if not isinstance(model, GDRegressor):
            raise ValueError(
                "Expected a GDRegressor, or a Pipeline that ends with one, got "
                f"{type(model).__name__}."
            )
        check_is_fitted(model)
    return models


def _names(models, names):
    """Return a name for each model: its solver, and how it differs if that is shared.

    What it leaves at the default is not named.
    """
    if names is not None:
        if len(names) != len(models):
            raise ValueError(f"{len(names)} names for {len(models)} estimators.")
        return list(names)
    found = [model.solver for model in models]
    if len(set(found)) == len(found):
        return found
    default = GDRegressor().get_params()
    parameters = [model.get_params() for model in models]
    differing = [
        key
        for key in default
        if key != "solver" and len({repr(own[key]) for own in parameters}) > 1
    ]
    return [
        ", ".join(
            [own["solver"]]
            + [
                f"{key}={own[key]!r}"
                for key in differing
                if repr(own[key]) != repr(default[key])
            ]
        )
        for own in parameters
    ]


def _unit(models):
    """Return what an element of loss_curve_ is, an iteration or an epoch."""
    stochastic = [
        SOLVERS[model.solver].batch_size is not None or model.batch_size is not None
        for model in models
    ]
    if all(stochastic):
        return "epoch"
    return "iteration or epoch" if any(stochastic) else "iteration"


def _returned(model):
    """Return the iteration that early stopping went back to, if there was one."""
    scores = getattr(model, "validation_scores_", None)
    if scores is None or len(np.atleast_2d(model.coef_)) > 1:
        return None  # several targets go back to iterations of their own
    if model.stop_reason_ == DIVERGED:
        return None
    return 1 + int(np.argmax(scores))


def _whole_path(model, target):
    """Return the coefficients of one target, of shape (n_iter + 1, n_features)."""
    if not hasattr(model, "coef_path_"):
        raise ValueError(
            f"This {model.solver} was not fitted with store_path=True, so that its "
            "iterates are not known. Set store_path=True and call fit."
        )
    targets = len(np.atleast_2d(model.coef_))
    if not 0 <= target < targets:
        raise ValueError(f"target must be from 0 to {targets - 1}, got {target!r}.")
    path = model.coef_path_
    return path if path.ndim == 2 else path[:, target]


def _path(model, target):
    """Return the coefficients up to the iterate that the fit returned."""
    path = _whole_path(model, target)
    same = (path == np.atleast_2d(model.coef_)[target]).all(axis=1)
    return path[: 1 + np.flatnonzero(same)[-1]] if same.any() else path


def _feature_names(model, estimator):
    """Return the names of the columns that the model saw, else x0, x1 and so on."""
    names = getattr(model, "feature_names_in_", None)
    if names is None and isinstance(estimator, Pipeline) and len(estimator) > 1:
        try:
            names = estimator[:-1].get_feature_names_out()
        except (AttributeError, ValueError):  # a step does not know
            names = None
    if names is None:
        names = [f"x{j}" for j in range(model.n_features_in_)]
    return [str(name) for name in names]


def _pair(model, estimator, features):
    """Return the numbers of the two columns, and their names."""
    names = _feature_names(model, estimator)
    if len(names) < 2:
        raise ValueError(
            "TrajectoryDisplay needs at least 2 columns, and the fit had 1. Use "
            "CoefPathDisplay."
        )
    if isinstance(features, str) or len(features) != 2:
        raise ValueError(f"features must be two columns, got {features!r}.")
    pair = []
    for feature in features:
        if isinstance(feature, str):
            if feature not in names:
                raise ValueError(
                    f"features: no column is called {feature!r}; there are {names}."
                )
            feature = names.index(feature)
        if not isinstance(feature, Integral) or not 0 <= feature < len(names):
            raise ValueError(
                f"features must be from 0 to {len(names) - 1}, got {feature!r}."
            )
        pair.append(int(feature))
    if pair[0] == pair[1]:
        raise ValueError(f"features must be two different columns, got {features!r}.")
    return pair, [names[j] for j in pair]


def _check_same_objective(models):
    for name in OBJECTIVE:
        values = {repr(getattr(model, name)): None for model in models}
        if len(values) > 1:
            raise ValueError(
                f"The estimators differ in {name} ({', '.join(values)}), so that they "
                "have no F in common. Draw them on axes of their own."
            )


def _common_table(estimators, X):
    """Return the X that the estimators' last steps see, which must be the same."""
    tables = [
        estimator[:-1].transform(X)
        if isinstance(estimator, Pipeline) and len(estimator) > 1
        else X
        for estimator in estimators
    ]
    first = tables[0]
    for table in tables[1:]:
        if table is not first and not _are_equal(table, first):
            raise ValueError(
                "The estimators' pipelines make different tables of X, so that their "
                "coefficients can't be compared."
            )
    return first


def _are_equal(table, other):
    if issparse(table) or issparse(other):
        return table.shape == other.shape and abs(table - other).max() == 0
    return np.array_equal(table, other)


def _minimum(model, objective, X, sample_weight):
    """Return the coefficients where F is lowest, of shape (d,)."""
    loss = objective.loss
    # Not a clone, which would have the model's callbacks.
    reference = GDRegressor(**model.get_params()).set_params(
        solver="newton" if objective.takes_newton else "momentum",
        epsilon=getattr(loss, "epsilon", "auto"),
        learning_rate="auto",
        schedule="constant",
        batch_size=None,
        momentum="auto",
        max_iter=10_000,
        tol=1e-8,
        early_stopping=False,
        average="auto",
        store_path=False,
        verbose=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        reference.fit(X, objective.y, sample_weight)
    return reference.coef_.astype(float)


# --- drawing --------------------------------------------------------------------------


def _axes(ax, display):
    check_matplotlib_support(f"{type(display).__name__}.plot")
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    return ax


def _style(k):
    return {
        "color": COLOURS[k % len(COLOURS)],
        "linestyle": LINES[k % len(LINES)],
        "marker": MARKERS[k % len(MARKERS)],
    }


def _range(values, margin=0.1):
    """Return what shows these values, and some room around them."""
    low, high = values.min(), values.max()
    room = margin * (high - low) or abs(low) or 1.0
    return low - room, high + room
