"""Adds to pyproject.toml what it cannot say: folders beside the package that travel inside of it.

`python/` (classes that render hosts load), `statistics/` (PHP pages) and `web/` (the server's own page) are not
modules of `afanasy_py`. A wheel carries them as `afanasy_py/_tree/python` and so on; `afanasy_py/paths.py` finds
them in both places.
"""

from setuptools import find_packages, setup

TREE = {f"afanasy_py._tree.{name}": name for name in ("python", "statistics", "web")}

setup(
    packages=[*find_packages(include=["afanasy_py", "afanasy_py.*"]), *TREE],
    package_dir=TREE,
    package_data={name: ["**/*"] for name in TREE} | {"afanasy_py": ["py.typed"]},
    exclude_package_data={name: ["**/__pycache__/*", "**/*.pyc"] for name in TREE},
    zip_safe=False,
)
