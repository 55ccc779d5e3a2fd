"""Imports point down the list of layers, and only there."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

import sklearn_gd

ROOT = Path(sklearn_gd.__file__).parent
TESTS = Path(__file__).parent
LAYERS = [
    "__init__",
    "display",
    "_regressor",
    "_callbacks",
    "_scale",
    "_solver",
    "_messages",
    "_walks",
    "_state",
    "_steps",
    "_objective",
    "_geometry",
    "_chunks",
    "_collections",
    "_data",
    "_factor",
    "_double",
    "_core",
]
ALLOWED = {"numpy", "scipy", "sklearn", "sklearn_gd"}
STANDARD = {
    "array",
    "contextlib",
    "copy",
    "dataclasses",
    "functools",
    "mmap",
    "numbers",
    "sys",
    "typing",
    "warnings",
}


def imports(path):
    """Yield every module that a .py file imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if node.module == "sklearn_gd":
                yield from (f"sklearn_gd.{alias.name}" for alias in node.names)
            else:
                yield node.module


def layer(module):
    return LAYERS.index(module.split(".")[1])


def test_every_file_has_a_layer():
    files = {path.stem for path in ROOT.glob("*.py")}
    assert files == set(LAYERS) - {"_core"}


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.py")), ids=lambda path: path.stem)
def test_imports_point_down(path):
    here = LAYERS.index(path.stem)
    for module in imports(path):
        top = module.split(".")[0]
        if top == "matplotlib":
            assert path.stem == "display"
            continue
        if top == "dask":
            assert path.stem == "_collections"
            continue
        assert top in ALLOWED | STANDARD, module
        if top == "sklearn_gd":
            assert layer(module) > here, f"{path.name} imports {module}"


def test_only_the_estimator_and_the_displays_know_scikit_learn():
    for path in ROOT.glob("*.py"):
        used = {m for m in imports(path) if m.split(".")[0] == "sklearn"}
        if path.stem == "display":
            # Private in name, but what the displays of all its versions import.
            private = {module for module in used if "._" in module}
            assert private == {"sklearn.utils._optional_dependencies"}
        elif path.stem in ("_chunks", "_collections"):  # where blocks are validated
            assert not {module for module in used if "._" in module}
        elif path.stem not in ("_regressor", "_callbacks", "__init__"):
            assert not used


# Losses, penalties and rows know nothing of each other; the rules end with a penalty's
# prox; the loop over rows knows all of them, and several targets are several of it; the
# loop without rows knows rules and penalties.
COMPILED = {
    "rules": {"penalties"},
    "debts": {"penalties", "rows"},
    "touched": {"rows"},
    "epoch": {"debts", "losses", "order", "penalties", "rows", "rules", "touched"},
    "targets": {"epoch", "order", "rules"},
    "quadratic": {"penalties", "rules"},
}


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("_core/*.p[yx]*")), ids=lambda p: p.name
)
def test_the_compiled_room(path):
    used = set(re.findall(r"sklearn_gd\.(\S+) c?import", path.read_text()))
    assert used <= {f"_core.{name}" for name in COMPILED.get(path.stem, ())}


# --- what wheels are built from -------------------------------------------------------

PROJECT = tomllib.loads((TESTS.parent / "pyproject.toml").read_text(encoding="utf-8"))


def test_wheels_need_no_special_processor_and_know_nan():
    for module in PROJECT["tool"]["setuptools"]["ext-modules"]:
        flags = set(module["extra-compile-args"])
        assert not any(flag.startswith("-march") for flag in flags)
        assert not flags & {"-ffast-math", "-Ofast", "-ffinite-math-only"}


def test_wheels_are_built_for_every_python_that_is_allowed():
    builds = PROJECT["tool"]["cibuildwheel"]["build"]
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=3.")
    assert min(builds) == f"cp3{oldest}-*"
    command = PROJECT["tool"]["cibuildwheel"]["test-command"]
    for path in re.findall(r"tests/\w+\.py", command):
        assert (TESTS.parent / path).exists()
