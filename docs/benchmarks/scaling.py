"""Time against the number of rows and of columns: scaling_n.png and scaling_d.png.

Not part of run.py: it takes minutes, up to 6 GB of memory, and matplotlib.
"""

import argparse
from pathlib import Path

import harness
from sklearn.linear_model import LinearRegression, Ridge, SGDRegressor

from sklearn_gd import GDRegressor

HERE = Path(__file__).parent
CURVES = {
    "n": ("rows", [(n, 20) for n in (10**4, 10**5, 10**6, 10**7)]),
    "d": ("columns", [(20_000, d) for d in (10, 30, 100, 300, 1000, 2000, 5000)]),
}
LONG, TOO_LONG = 1.0, 5.0  # seconds from which on one round does, and a curve ends


def contenders(X, y):
    step = 1e-3 / X.shape[1]
    float_step = {"tol": None, "random_state": 0}
    peer = SGDRegressor(learning_rate="constant", eta0=step, penalty=None, **float_step)
    models = {
        "sgd, one epoch": GDRegressor("sgd", learning_rate=step, **float_step),
        "sgd": GDRegressor("sgd", random_state=0),
        "gd": GDRegressor("gd"),
        "newton": GDRegressor("newton"),
        "SGDRegressor, one epoch": peer,
        "SGDRegressor": SGDRegressor(random_state=0),
        "Ridge": Ridge(),
        "LinearRegression": LinearRegression(),
    }
    return {
        name: (harness.Epoch if "epoch" in name else harness.Fit)(model, X, y)
        for name, model in models.items()
    }


def measure(shapes):
    """Return {name: [(shape, seconds)]}."""
    curves = {}
    with harness.one_thread():
        for shape in shapes:
            running = {}
            for name, contender in contenders(*harness.dense(*shape)).items():
                before = curves.setdefault(name, [])
                last = before[-1][1] if before else 0.0
                if last < TOO_LONG:
                    contender.rounds = 1 if last > LONG else 3
                    running[name] = contender
            for name, numbers in harness.measure(running, 3).items():
                time = running[name].value(harness.minima(numbers)) / 1e3
                curves[name].append((shape, time))
                print(f"{shape}  {name:24}  {time:.4g} s", flush=True)
    return curves


def draw(letter, curves):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    what, shapes = CURVES[letter]
    axis = "nd".index(letter)
    fig, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for i, (name, points) in enumerate(curves.items()):
        ours = i < len(curves) // 2
        ax.loglog(
            [shape[axis] for shape, _ in points],
            [time for _, time in points],
            "o-" if ours else "s--",
            color=f"C{i % 4}",
            markersize=4,
            label=f"GDRegressor: {name}" if ours else name,
        )
    ends = [shapes[0][axis], shapes[-1][axis]]
    low = min(time for points in curves.values() for _, time in points) / 2
    guide = [low, low * ends[1] / ends[0]]
    ax.loglog(ends, guide, ":", color="grey", label=f"proportional to {letter}")
    fixed = {"n": "20 columns", "d": "20,000 rows"}[letter]
    ax.set(xlabel=f"{what} ({fixed}, float64)", ylabel="seconds")
    ax.grid(which="major", alpha=0.3)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    fig.savefig(HERE / f"scaling_{letter}.png", dpi=100, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("letters", nargs="*", help="n, d, or both")
    for letter in parser.parse_args().letters or CURVES:
        draw(letter, measure(CURVES[letter][1]))
