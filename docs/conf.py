"""How the documentation is built: `sphinx-build docs docs/_build`.

Pages under `reference/` that begin with `generated` are written by `_ext/generated.py` from the package itself.
"""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "electjax"
author = "The electjax developers"
copyright = "The electjax developers, Apache-2.0"
release = version = version_of("electjax")

extensions = [
    "generated",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "_ext"]
nitpicky = False
suppress_warnings = ["mystnb.unknown_mime_type"]

# every code cell runs, once: its output is kept until the page changes
nb_execution_mode = "cache"
nb_execution_cache_path = str(Path(__file__).parent / "_build" / ".jupyter_cache")
nb_execution_raise_on_error = True
nb_execution_in_temp = True  # cells write files
nb_execution_timeout = 300
nb_merge_streams = True
nb_execution_show_tb = True
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist", "substitution"]
myst_heading_anchors = 3

default_role = "code"  # as docstrings mean single backticks
autodoc_typehints = "none"  # docstrings give shapes and meaning
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_use_rtype = False
napoleon_custom_sections = [("Options", "params_style")]

html_theme = "pydata_sphinx_theme"
html_title = "electjax"
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "show_nav_level": 1,
    "secondary_sidebar_items": ["page-toc"],
}
