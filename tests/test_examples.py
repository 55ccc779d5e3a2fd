"""Every picture of the gallery is drawn, and the tables that it prints are finite."""

import runpy
from pathlib import Path

import matplotlib
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt

GALLERY = sorted((Path(__file__).parent.parent / "examples").glob("plot_*.py"))


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_an_example_runs_and_draws(path, monkeypatch, capsys):
    title, line, *_ = path.read_text(encoding="utf-8").split("\n")[1:]
    assert len(title) == len(line)
    assert set(line) == {"="}
    drawn = []

    def show():
        for number in plt.get_fignums():
            figure = plt.figure(number)
            figure.set_dpi(40)
            figure.canvas.draw()
            drawn.append(figure)
        plt.close("all")

    monkeypatch.setattr(plt, "show", show)
    runpy.run_path(str(path))
    assert drawn
    assert plt.get_fignums() == []
    assert "nan" not in capsys.readouterr().out
