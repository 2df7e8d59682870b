"""How Sphinx builds these pages: ``make docs``."""

from importlib.metadata import version as version_of

project = "Hookline"
author = "The Hookline authors"
copyright = "2026, the Hookline authors"  # noqa: A001 -- Sphinx wants this name
release = version = version_of("hookline")

extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

smartquotes_action = "D"  # dashes only: texts drawn from the code quote code
html_theme = "furo"
html_title = "Hookline"
html_copy_source = False

copybutton_prompt_text = r">>> |\.\.\. |\$ "  # what a reader does not type
copybutton_prompt_is_regexp = True
