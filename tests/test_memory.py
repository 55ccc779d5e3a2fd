"""X is never copied: peak memory of a child process."""

import subprocess
import sys

import pytest

from sklearn_gd._solver import SOLVERS

# ru_maxrss is in kilobytes on Linux and in bytes on macOS.
CHILD = """
import resource, sys, warnings
import numpy as np
from sklearn_gd import GDRegressor

def peak():
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 2**20 if sys.platform == "darwin" else used / 2**10

rng = np.random.default_rng(0)
X = np.empty(({n}, 50), dtype="{dtype}")
for rows in np.array_split(X, 100):
    rows[:] = rng.standard_normal(rows.shape)
y = X[:, 0] + rng.standard_normal({n})
warnings.simplefilter("ignore")
model = GDRegressor("{solver}", max_iter=2, learning_rate={step}, random_state=0)
model.fit(X[:500], y[:500])  # what libraries allocate at first use
before = peak()
model.fit(X, y)
print(peak() - before, X.nbytes / 2**20)
"""


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("step", ["'auto'", "1e-3"])
def test_no_copy_of_x(solver, dtype, step):
    n = 200_000 if dtype == "float64" else 400_000
    code = CHILD.format(solver=solver, dtype=dtype, step=step, n=n)
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    grown, size = map(float, out.stdout.split())
    assert 70 < size < 80
    # y, the weights and the order are each 1 in 50 columns of X, 1 in 25 of float32's.
    assert grown < 0.5 * size
