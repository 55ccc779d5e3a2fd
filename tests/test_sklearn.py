"""scikit-learn's own checks, each a test, for every solver."""

import re

import pytest
import sklearn
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.fixes import parse_version
from sklearn_gd._core.losses import LOSSES

from sklearn_gd import GDRegressor
from sklearn_gd._solver import SOLVERS

# The checks fit data on which max_iter is reached, and skip what does not apply.
pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::sklearn.exceptions.SkipTestWarning",
)

FULL_BATCH = [name for name, solver in SOLVERS.items() if solver.batch_size is None]
PENALTIES = [
    {"penalty": "l1", "alpha": 0.01},
    {"penalty": "elasticnet", "alpha": 0.01},
    {"penalty": "l2", "alpha": 0.01},
    {"penalty": None},
    {"positive": True},
    {"penalty": "l1", "alpha": 0.01, "positive": True},
]


# Most checks are of what goes in and comes out, which some steps show as well.
FEW_STEPS = 100


def matrix():
    """Yield every loss and every penalty once with every solver that takes it."""
    for i, (name, solver) in enumerate(SOLVERS.items()):
        for j, loss in enumerate(LOSSES):
            if not solver.second_order:
                penalty = PENALTIES[(i + j) % len(PENALTIES)]
            elif LOSSES[loss].has_second:
                penalty = PENALTIES[2 + j % 2]
            else:
                continue
            yield GDRegressor(solver=name, loss=loss, max_iter=FEW_STEPS, **penalty)


def is_stochastic_and_penalised(model):
    """Whether the rows can't be interpolated, so that their order matters."""
    return model.solver == "sgd" and (model.alpha > 0.0 or model.positive)


EXACT = (
    [GDRegressor(solver=name) for name in SOLVERS]
    + [GDRegressor(solver=name, alpha=0.1) for name in FULL_BATCH]
    + [GDRegressor(solver=name, fit_intercept=False) for name in FULL_BATCH]
    # 32 rows a step are all the rows of the two checks of weights.
    + [GDRegressor("minibatch", alpha=0.1)]
    + [model for model in matrix() if not is_stochastic_and_penalised(model)]
)
BATCHED = [
    GDRegressor(solver=name, batch_size=8)
    for name, solver in SOLVERS.items()
    if not solver.second_order
]
BATCHED += [GDRegressor(solver="sgd", alpha=0.1)]
BATCHED += [model for model in matrix() if is_stochastic_and_penalised(model)]


@parametrize_with_checks(EXACT)
def test_every_check(estimator, check):
    if "sample_weight_equivalence" in check.func.__name__:
        estimator.set_params(max_iter=GDRegressor().max_iter)
    check(estimator)


def row_order_matters(estimator):
    reason = "weighted and repeated rows are visited in another order"
    return {
        "check_sample_weight_equivalence_on_dense_data": reason,
        "check_sample_weight_equivalence_on_sparse_data": reason,
    }


@parametrize_with_checks(BATCHED, expected_failed_checks=row_order_matters)
def test_every_check_but_equivalence_of_weights(estimator, check):
    check(estimator)


# --- what a notebook shows ------------------------------------------------------------


def test_the_html_links_to_the_documentation():
    page = "https://sklearn-gd.readthedocs.io/en/latest/api.html#sklearn_gd.GDRegressor"
    model = GDRegressor("momentum", alpha=0.25)
    for shown in (model, make_pipeline(StandardScaler(), model)):
        html = estimator_html_repr(shown)
        assert f'href="{page}"' in html
        assert "Documentation for GDRegressor" in html


def test_the_html_has_a_table_of_parameters():
    html = GDRegressor("momentum", alpha=0.25)._repr_html_()
    if parse_version(sklearn.__version__) < parse_version("1.7"):  # text, then
        assert "GDRegressor(alpha=0.25, solver=&#x27;momentum&#x27;)" in html
        return
    rows = re.findall(r"<tr class=\"(\S+)\">(.*?)</tr>", html, flags=re.DOTALL)
    shown = {}
    for kind, row in rows:
        for name in GDRegressor().get_params():
            if f"'{name}'" in row:
                shown[name] = kind
    assert set(shown) == set(GDRegressor().get_params())
    assert [name for name in shown if shown[name] == "user-set"] == ["solver", "alpha"]


def test_a_subclass_elsewhere_has_no_link():
    class Other(GDRegressor):
        pass

    assert Other()._get_doc_link() == ""
