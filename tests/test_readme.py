"""What README.md says is what happens: its code, its commands, its example."""

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sklearn_gd._solver import SOLVERS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
INSTALL = 'python3 -m venv .venv && .venv/bin/pip install -e ".[test]" && '


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def commands():
    return [line for block in blocks("sh") for line in block.splitlines()]


@pytest.mark.parametrize("code", blocks("python"))
def test_code_runs_on_its_own(code):
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})


def test_the_commands_are_those_of_continuous_integration():
    shown = subprocess.run(
        ["bash", ROOT / ".ci" / "run", "--commands"],
        capture_output=True,
        check=True,
        encoding="utf-8",
    ).stdout.splitlines()
    assert shown == [line for line in commands() if "-m venv" in line]
    assert shown == [
        INSTALL + ".venv/bin/python examples/quickstart.py",
        INSTALL + ".venv/bin/pytest",
    ]


def test_the_commands_name_files_that_exist():
    paths = re.findall(r"\b(?:tests|examples)/\w+\.py", "\n".join(commands()))
    assert {"examples/quickstart.py", "tests/test_readme.py"} <= set(paths)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_its_links_lead_to_files():
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert "docs/contributing.rst" in links
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (ROOT / link).is_file()] == []


def test_a_step_that_is_too_long_is_caught():
    (command,) = (c for c in commands() if c.startswith(".venv/bin/python -c"))
    done = subprocess.run(
        [sys.executable, *shlex.split(command)[1:]],
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    assert "ConvergenceWarning" in done.stderr
    assert "largest stable step" in done.stderr


def test_quickstart_shows_every_model_twice(capsys):
    path = ROOT / "examples" / "quickstart.py"
    spec = importlib.util.spec_from_file_location("quickstart", path)
    quickstart = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(quickstart)
    quickstart.main()
    printed = capsys.readouterr().out
    ours = [f'GDRegressor("{solver}")' for solver in SOLVERS]
    for model in ["LinearRegression()", "SGDRegressor()", *ours]:
        assert len(re.findall(rf"^{re.escape(model)} ", printed, re.MULTILINE)) == 2
    assert "nan" not in printed
    assert max(map(len, printed.splitlines())) <= 88
