"""How Sphinx builds these pages: ``make docs``."""

# ruff: noqa: INP001 -- Sphinx loads it by its path

import sys
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent / "pipeline"), str(HERE.parent / "plugins")]

project = "Hookline"
author = "The Hookline authors"
copyright = "2026, the Hookline authors"  # noqa: A001 -- Sphinx wants this name
release = version = version_of("hookline")

extensions = [
    "hookline_docs",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # else attributes would be described twice, here and as members
python_use_unqualified_type_names = True

smartquotes_action = "D"  # dashes only: texts drawn from the code quote code
html_theme = "furo"
html_title = "Hookline"
html_copy_source = False
