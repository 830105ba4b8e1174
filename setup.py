"""Adds to pyproject.toml what it cannot say: folders beside the package that travel inside of it.

`python/` (classes that render hosts load) and `statistics/` (PHP pages) are not modules of `afanasy_py`. A
wheel carries them as `afanasy_py/_tree/python` and `afanasy_py/_tree/statistics`; `afanasy_py/paths.py` finds
them in both places.
"""

from setuptools import find_packages, setup

TREE = {"afanasy_py._tree.python": "python", "afanasy_py._tree.statistics": "statistics"}

setup(
    packages=[*find_packages(include=["afanasy_py", "afanasy_py.*"]), *TREE],
    package_dir=TREE,
    package_data={name: ["**/*"] for name in TREE} | {"afanasy_py": ["py.typed"]},
    exclude_package_data={name: ["**/__pycache__/*", "**/*.pyc"] for name in TREE},
    zip_safe=False,
)
