"""Who somebody is, what roles there are, and what each may do. Values only; nothing here knows of a farm."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from afanasy_py.errors import ConfigError


class Right(Enum):
    """What somebody may do; the value goes into refusals, after "may not"."""

    READ = "look at the farm"
    RENDER = "be a render host"
    OWN_JOBS = "send jobs"
    ALL_JOBS = "change jobs of other users"
    FARM = "change hosts, pools, branches, users and monitors of others"
    SERVER = "change the server, its access and its files, or run commands on it"


class Role(Enum):
    """A named set of rights; the value is the word for it in settings, requests and logs."""

    READ = "read"
    RENDER = "render"
    ARTIST = "artist"
    MANAGER = "manager"
    ADMIN = "admin"


#: {role: its rights}
RIGHTS: dict[Role, frozenset[Right]] = {
    Role.READ: frozenset({Right.READ}),
    Role.RENDER: frozenset({Right.RENDER}),
    Role.ARTIST: frozenset({Right.READ, Right.OWN_JOBS}),
    Role.MANAGER: frozenset({Right.READ, Right.OWN_JOBS, Right.ALL_JOBS, Right.FARM}),
    Role.ADMIN: frozenset(Right),
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, as far as the server could make sure of it."""

    role: Role
    #: Where the request came from.
    address: str
    #: How it is known: `network`, `login`, or `token <id>`.
    how: str
    #: Empty: somebody of a trusted network, whose own word for it is taken.
    user: str = ""

    def has(self, right: Right) -> bool:
        """Return whether the role has a right."""
        return right in RIGHTS[self.role]

    def __str__(self) -> str:
        """Return how refusals name it."""
        return f"{self.user or 'the network of ' + self.address} ({self.role.value})"


def who_has(right: Right) -> str:
    """Return the roles that have a right, for refusals."""
    return " or ".join(role.value for role in Role if right in RIGHTS[role])


def denial(identity: Identity, right: Right, what: str = "") -> str:
    """Return the text that refuses somebody a right that its role lacks.

    Args:
        identity: Who asked.
        right: What is missing.
        what: What exactly was asked for, after "may not"; empty: the right in general.
    """
    return f"Access denied: {identity} may not {what or right.value}; that needs the role {who_has(right)}."


def role_named(word: str) -> Role:
    """Return the role of a word.

    Raises:
        ConfigError: There is no such role.
    """
    try:
        return Role(word)
    except ValueError:
        known = ", ".join(role.value for role in Role)
        raise ConfigError(f"there is no role '{word}', but {known}") from None
