"""Linear regression by the gradient methods everyone is taught, for scikit-learn."""

from sklearn_gd._regressor import GDRegressor
from sklearn_gd.display import (
    CoefPathDisplay,
    LossCurveDisplay,
    TrajectoryDisplay,
)

__all__ = ["CoefPathDisplay", "GDRegressor", "LossCurveDisplay", "TrajectoryDisplay"]
