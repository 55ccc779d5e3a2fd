"""Who watches a fit: the lines of ``verbose``, and scikit-learn's callbacks."""

from functools import cache

import numpy as np
from sklearn.utils import _safe_indexing

from sklearn_gd import _messages

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:
        """Nothing: there are no callbacks."""


class Watcher:
    """Prints a line an iteration, and has the callbacks called.

    For the callbacks a fit is a task, and each of its iterations or epochs a task of
    that. They are set up here, to be torn down by ``_fit_context``.

    Parameters
    ----------
    estimator : GDRegressor
    attributes : callable
        Makes the fitted attributes from the states of a fit that goes on.
    """

    def __init__(self, estimator, attributes):
        self.estimator = estimator
        self.attributes = attributes
        self.fit = None
        if getattr(estimator, "_skl_callbacks", None):
            self.errors = np.geterr()
            tasks = estimator.max_iter
            self.fit = estimator._init_callback_context(max_subtasks=tasks)

    @property
    def is_needed(self):
        return self.fit is not None or bool(self.estimator.verbose)

    def begin_fit(self, X, y, sample_weight, rows):
        """Begin with these rows of the data, all if None, copied where asked for."""
        if self.fit is None:
            return
        if rows is None:
            self.data = {"X": X, "y": y}
        else:
            self.data = {
                "X": cache(lambda: _safe_indexing(X, rows)),
                "y": cache(lambda: _safe_indexing(y, rows)),
            }
        if sample_weight is not None:
            weights = sample_weight if rows is None else sample_weight[rows]
            self.data["metadata"] = {"sample_weight": weights}
        self._call(self.fit.call_on_fit_task_begin)

    def begin(self, states):
        """Begin an iteration."""
        if self.fit is not None:
            self.iteration = self.fit.subcontext(task_name=states[0].walk.one)
            begin = self.iteration.call_on_fit_task_begin
            self._call(begin, lambda: self.attributes(states))

    def end(self, states):
        """End an iteration, and return whether a callback asks to stop."""
        if self.estimator.verbose:
            print(_messages.progress(states))
        if self.fit is None:
            return False
        end = self.iteration.call_on_fit_task_end
        return self._call(end, lambda: self.attributes(states))

    def end_fit(self):
        if self.fit is not None:
            self._call(self.fit.call_on_fit_task_end, dict)

    def _call(self, hooks, attributes=None):
        seen = self.data | {"reconstruction_attributes": attributes}
        with np.errstate(**self.errors):  # callbacks hear of their own overflows
            return hooks(estimator=self.estimator, **seen)
