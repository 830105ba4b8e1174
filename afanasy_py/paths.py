"""Finds the folders that travel with the package: beside it in a checkout, inside it when installed."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def tree_dir() -> Path:
    """Return the folder that has `python/`, `statistics/` and `web/`.

    That is the checkout when the package is used from one, else a folder inside of the installed package.
    """
    inside = PACKAGE / "_tree"
    return inside if inside.is_dir() else PACKAGE.parent


def python_dir() -> Path:
    """Return the folder to put into `sys.path` for `import services` on a render host."""
    return tree_dir() / "python"


def services_dir() -> Path:
    """Return the folder of service classes."""
    return python_dir() / "services"


def web_dir() -> Path:
    """Return the folder of the server's own page."""
    return tree_dir() / "web"


def php_dir() -> Path:
    """Return the folder of the statistics pages."""
    return tree_dir() / "statistics" / "php"
