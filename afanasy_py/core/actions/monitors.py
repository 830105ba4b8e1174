"""Actions on monitors: the operations themselves are in `core.watching`. Source: json-api 10.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from afanasy_py.core.actions.action import Action
    from afanasy_py.core.monitor import Monitor


def act_on(action: Action, monitor: Monitor) -> None:
    """Do an action to a monitor; of parameters it has only those of every node."""
    from afanasy_py.core import watching

    farm = action.farm
    action.log_type = action.log_type.removesuffix(" params")
    if action.log_info:
        farm.changed(monitor)
    if action.operation is None:
        return
    outcome = watching.operate_monitor(
        farm, monitor, action.operation, action.caller, action.user_name, action.host_name
    )
    if outcome is watching.NO_ANSWER:
        action.hang_up()
        return
    assert isinstance(outcome, watching.Outcome)
    if outcome.word is not None:
        action.add_log_type(outcome.word)
    if outcome.kind == "error":
        action.error(outcome.text)
        action.log_info = outcome.logged
    else:
        action.log(outcome.text)
