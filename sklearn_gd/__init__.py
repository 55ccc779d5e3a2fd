"""Linear regression by the gradient methods everyone is taught, for scikit-learn."""

from sklearn_gd._regressor import GDRegressor

__all__ = ["GDRegressor"]
