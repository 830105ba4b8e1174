"""What an action may set: numbers that do not fit."""

from types import SimpleNamespace
from typing import Any

import pytest

from afanasy_py.core.fields import BLOCK_PARAMS, USER_PARAMS, Field, apply_fields


@pytest.mark.parametrize(
    ("fields", "value", "kept"),
    [
        (BLOCK_PARAMS, 200, -56), (BLOCK_PARAMS, 300, 44), (BLOCK_PARAMS, -5, -5), (BLOCK_PARAMS, 2**31, 7),
        (USER_PARAMS, 300, 44), (USER_PARAMS, 255, 255), (USER_PARAMS, -5, 7), (USER_PARAMS, "1", 7),
    ],
)  # fmt: skip
def test_small_fields_wrap(fields: tuple[Field, ...], value: Any, kept: int) -> None:
    """COMPAT(wrapped-numbers)"""
    node = SimpleNamespace(errors_retries=7)
    apply_fields(node, {"errors_retries": value}, fields)
    assert node.errors_retries == kept
