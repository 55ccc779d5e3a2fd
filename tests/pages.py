"""The Cython classes that pages of the documentation show, compiled."""

import importlib.util
import re
import shlex
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import sklearn_gd

ROOT = Path(sklearn_gd.__file__).parents[1]


def cython_of(text):
    """Return the first block of Cython of a page."""
    return code_of(text, r"code-block:: cython\n\n((?:    .*\n|\n)+)")


def code_of(text, pattern):
    return textwrap.dedent(re.search(pattern, text).group(1))


def compiled(name, code, folder):
    """Return the module of this name, compiled from its code."""
    (folder / f"{name}.pyx").write_text(code, encoding="utf-8")
    module = folder / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
    cython = [sys.executable, "-m", "cython", "-I", str(ROOT), f"{name}.pyx"]
    subprocess.run(cython, cwd=folder, check=True)
    compiler = shlex.split(sysconfig.get_config_var("CC"))
    flags = ["-O0", "-fPIC", "-shared", f"-I{sysconfig.get_path('include')}"]
    command = [*compiler, *flags, f"{name}.c", "-o", module.name]
    subprocess.run(command, cwd=folder, check=True)
    spec = importlib.util.spec_from_file_location(name, module)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found
