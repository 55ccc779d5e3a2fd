"""
A file in place of memory
=========================

``np.memmap``, or ``np.load`` with ``mmap_mode``, makes an array of a file. All solvers
take it as it is: no row is copied, and the system keeps in memory what has room there.
What remains to be chosen is the order of the rows, which decides what sgd learns from a
file that is sorted.
"""

# %%
# A table of 100 MB, written to a file sorted by y: what comes of a database is often
# sorted by something. It is written, and then opened for reading only.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sklearn_gd import GDRegressor

rng = np.random.default_rng(0)
n, d = 200_000, 64
X = rng.standard_normal((n, d))
y = X @ rng.standard_normal(d) + 4.0 * rng.standard_normal(n)
at = np.argsort(y)

# Windows can't delete a file that is still mapped.
folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
path = Path(folder.name)
np.save(path / "X.npy", X[at])
np.save(path / "y.npy", y[at])
del X, y, at

X = np.load(path / "X.npy", mmap_mode="r")
y = np.load(path / "y.npy", mmap_mode="r")
print(f"{type(X).__name__} of {X.nbytes / 1e6:.0f} MB, sorted by y")

# %%
# newton reads the file a few times from its beginning to its end. sgd reads it once an
# epoch, in an order of its own, and once more for F.

newton = GDRegressor("newton").fit(X, y)
sgd = GDRegressor("sgd", random_state=0).fit(X, y)
for model in (newton, sgd):
    print(f"{model.solver:6} R² {model.score(X, y):.4f}, n_iter_ {model.n_iter_}")

# %%
# That order matters. With ``partial_fit`` it is tempting to take blocks of the file in
# random order, each of which has neighbouring rows and so, here, nearly one value of y.
# The rows within them come in random order, too. Or rows may be taken as they lie. With
# the same step all three learn from the same rows.


def gap(model):
    """F on all rows above its minimum, as a part of what there was to gain."""
    F = 0.5 * np.mean((y - model.predict(X)) ** 2)
    return (F - newton.loss_) / (0.5 * np.var(y) - newton.loss_)


ETA, EPOCHS = 1e-4, 6
blocks = [slice(k, k + 2500) for k in range(0, n, 2500)]
gaps = {"sgd's own order": [], "blocks, one after the other": [], "as they lie": []}
whole = GDRegressor("sgd", learning_rate=ETA, random_state=0)
pieces = GDRegressor("sgd", learning_rate=ETA, random_state=0)
in_line = GDRegressor("sgd", learning_rate=ETA, shuffle=False)
for _ in range(EPOCHS):
    for k in rng.permutation(len(blocks)):
        pieces.partial_fit(X[blocks[k]], y[blocks[k]])
    models = whole.partial_fit(X, y), pieces, in_line.partial_fit(X, y)
    for values, model in zip(gaps.values(), models, strict=True):
        values.append(gap(model))
for name, values in gaps.items():
    print(f"{name:28} after each epoch:", *(f"{value:8.1e}" for value in values))

# %%
# After each epoch blocks have the fit of the last of them, and so do rows as they lie,
# which end with the largest y. sgd's own order mixes pieces of 16 rows from everywhere.
# A file too large for memory can't be read in pieces as small: from 512 MB on, sgd
# takes blocks of 256 kB in random order and mixes the pieces of 512 blocks, while the
# system reads the next 512 (:doc:`/beyond_memory`).

figure, ax = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
styles = zip(["-", "--", ":"], ["black", "#0072B2", "#D55E00"], strict=True)
epochs = np.arange(1, EPOCHS + 1)
for (name, values), (style, colour) in zip(gaps.items(), styles, strict=True):
    ax.plot(epochs, values, style, color=colour, marker="o", linewidth=1.5, label=name)
ax.set_yscale("log")
ax.set_xticks(epochs)
ax.set_xlabel("epochs")
ax.set_ylabel("(F − F*) / (F₀ − F*) on all rows")
ax.set_title("Rows of a sorted file, in three orders")
ax.legend(frameon=False)
plt.show()

folder.cleanup()
