"""Sphinx: one command builds all pages, the gallery and the reference.

.venv/bin/sphinx-build -W docs build/docs
"""

import warnings
from importlib.metadata import version as version_of
from importlib.resources import files
from pathlib import Path

import matplotlib
from docutils import nodes
from math_core import LatexError, LatexToMathML
from sklearn.exceptions import ConvergenceWarning
from sphinx.util import logging

ROOT = Path(__file__).parent.parent

project = "sklearn_gd"
author = "The sklearn_gd developers"
copyright = f"2026, {author}"
release = version = version_of("sklearn-gd")

extensions = [
    "sphinx.ext.autodoc",
    "numpydoc",
    "matplotlib.sphinxext.plot_directive",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = [
    "benchmarks/where_the_time_goes.rst",  # included in results.rst
    "sg_execution_times.rst",
    "gallery/sg_execution_times.rst",
]
highlight_language = "text"
nitpicky = True
# Their inventories are on the network, where a build must not need to go.
nitpick_ignore_regex = [("py:.*", r"(sklearn|numpy|matplotlib|pandas|scipy)\..*")]

# Reference
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False
# Not asked for: an extended summary, an example and a "See Also" in each method.
# "self : object" is how scikit-learn writes it.
numpydoc_validation_checks = {"all", "ES01", "EX01", "GL01", "RT02", "SA01"}

# Pictures
matplotlib.use("Agg")
plot_pre_code = ""
plot_html_show_formats = False
plot_html_show_source_link = False
plot_formats = [("png", 110)]
sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "examples"),
    "gallery_dirs": "gallery",
    "ignore_pattern": r"quickstart\.py",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "junit": "gallery.xml",
}
# As in the tests: a fit that warns is caught where it is shown, or is a mistake.
warnings.filterwarnings("error", category=ConvergenceWarning)

# Pages
html_theme = "pydata_sphinx_theme"
html_title = "sklearn_gd"
html_static_path = [
    "_static",
    str(files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf"),
]
html_css_files = ["pages.css"]
html_show_sourcelink = False
templates_path = ["_templates"]
html_sidebars = {"**": ["contents.html"]}
html_theme_options = {
    "navbar_center": [],
    "navigation_with_keys": False,
    "show_prev_next": False,
    # Wide tables need the room.
    "secondary_sidebar_items": {"**": ["page-toc"], "benchmarks/results": []},
    "footer_start": ["copyright"],
    "footer_end": [],
}

# Formulas, as MathML, which browsers draw without a script; a mistake is a warning.
html_math_renderer = "mathml"
to_mathml = LatexToMathML(fancy_error=False)


def mathml(text, displaystyle, node):
    try:
        return to_mathml.convert_with_local_state(text, displaystyle=displaystyle)
    except LatexError as error:
        logging.getLogger(__name__).warning("%s: %s", error, text, location=node)
        return ""


def inline_formula(translator, node):
    translator.body.append(mathml(node.astext(), False, node))
    raise nodes.SkipNode


def displayed_formula(translator, node):
    text = node.astext()
    if r"\\" in text and r"\begin" not in text:
        text = rf"\begin{{aligned}}{text}\end{{aligned}}"
    start = translator.starttag(node, "div", CLASS="formula")
    translator.body.append(f"{start}{mathml(text, True, node)}</div>\n")
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer(
        "mathml", (inline_formula, None), (displayed_formula, None)
    )
