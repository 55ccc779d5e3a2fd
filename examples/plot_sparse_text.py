"""
A sparse table of words
=======================

Text makes a table with thousands of columns, of which a row fills a hundred. Here the
texts are the docstrings of SciPy and scikit-learn, which ship with them, and y is
something real that can be looked up: how many parameters the function takes.
"""

# %%
# The texts: what the functions and classes of some modules say of themselves. They do
# list their parameters, so this is no riddle; but the model only sees which words stand
# in a text, and how often, not how long it is.

import inspect
import time
from importlib import import_module

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split

from sklearn_gd import GDRegressor

modules = """
scipy.cluster.hierarchy scipy.fft scipy.integrate scipy.interpolate scipy.io
scipy.linalg scipy.ndimage scipy.optimize scipy.signal scipy.sparse scipy.sparse.linalg
scipy.spatial.distance scipy.stats scipy.stats.mstats sklearn.cluster sklearn.covariance
sklearn.datasets sklearn.decomposition sklearn.ensemble sklearn.feature_extraction
sklearn.linear_model sklearn.manifold sklearn.metrics sklearn.neighbors
sklearn.neural_network sklearn.preprocessing sklearn.svm sklearn.tree
"""

texts = {}
for module in map(import_module, modules.split()):
    for name in module.__all__:
        thing = getattr(module, name)
        text = inspect.getdoc(thing) or ""
        try:
            count = len(inspect.signature(thing).parameters)
        except (TypeError, ValueError):
            continue  # neither a function nor a class
        if len(text) > 200:
            texts[text] = count  # some stand in several modules
y = np.array(list(texts.values()), dtype=float)
lengths = np.array([[len(text)] for text in texts], dtype=float)
print(f"{len(y)} texts, of {y.min():.0f} to {y.max():.0f} parameters")

# %%
# One row a text, one column a word that two texts have. Nothing needs scaling: a word's
# weight is its frequency here over that elsewhere, and each row has length one.

train, test = train_test_split(np.arange(len(y)), random_state=0)
documents = np.array(list(texts), dtype=object)
words = TfidfVectorizer(min_df=2, sublinear_tf=True)
X_train = words.fit_transform(documents[train])
X_test = words.transform(documents[test])
full = X_train.nnz / X_train.shape[0]
print(f"{X_train.shape[1]} words, of which a row has {full:.0f}")

# %%
# The solvers take the sparse matrix as it is. newton solves by conjugate gradients: a
# number for each pair of words would be too much. With ``l1`` few words are left. For
# comparison, a line through the lengths of the texts.

models = {
    "newton, l2": GDRegressor("newton", alpha=1e-3),
    "momentum, l2": GDRegressor("momentum", alpha=1e-3, tol=1e-3),
    "minibatch, l2": GDRegressor("minibatch", alpha=1e-3, tol=5e-3, random_state=0),
    "momentum, l1": GDRegressor("momentum", penalty="l1", alpha=0.01, tol=1e-3),
}
length = LinearRegression().fit(lengths[train], y[train])
print(f"{'length alone':14} R² {length.score(lengths[test], y[test]):.3f}")
for name, model in models.items():
    start = time.perf_counter()
    model.fit(X_train, y[train])
    took = time.perf_counter() - start
    r2 = model.score(X_test, y[test])
    used = np.count_nonzero(model.coef_)
    print(
        f"{name:14} R² {r2:.3f}, {used:5} words, {model.n_iter_:4} iter., {took:.2f} s"
    )

# %%
# Left, the texts that no fit has seen. Right, what counts for l1: the words with the
# largest coefficients.

found = models["momentum, l2"].predict(X_test)
coef = models["momentum, l1"].coef_
largest = np.argsort(-np.abs(coef))[:15][::-1]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
left.scatter(y[test], found, 10, "0.4", linewidths=0)
left.axline((0, 0), slope=1, color="#0072B2", label="predicted = observed")
left.set_xlabel("parameters")
left.set_ylabel("parameters predicted")
left.legend(frameon=False)
colours = np.where(coef[largest] > 0, "#0072B2", "#E69F00")
bars = right.barh(words.get_feature_names_out()[largest], coef[largest], color=colours)
for bar, value in zip(bars, coef[largest], strict=True):
    bar.set_hatch("" if value > 0 else "///")
right.axvline(0.0, color="black", linewidth=0.8)
right.set_xlabel("coefficient, l1")
figure.suptitle("How many parameters a function takes, told from its docstring")
plt.show()
