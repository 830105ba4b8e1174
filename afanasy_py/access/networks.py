"""Roles that addresses have without any login: `af_ip_trust` and `af_access_networks`."""

from __future__ import annotations

from collections.abc import Iterable

from afanasy_py.access.roles import Identity, Role, role_named
from afanasy_py.errors import ConfigError
from afanasy_py.ip_masks import IpMask, parse_mask

#: Addresses whose roles are remembered.
REMEMBERED_MOST = 10_000


class Networks:
    """Knows the role of an address; the longest mask that matches counts.

    Masks of `af_ip_trust` that match every address are left out: the files of CGRU come with them, and with
    them there would be no access control at all. Where everybody is to have a role it is said in
    `af_access_networks`.
    """

    def __init__(self, trusted: Iterable[IpMask] = (), roles: Iterable[tuple[IpMask, Role]] = ()) -> None:
        """Prepare.

        Args:
            trusted: Masks of addresses that need no login and may do everything.
            roles: Masks and the roles that their addresses have; of equal masks these count.
        """
        rules = [*roles, *((mask, Role.ADMIN) for mask in trusted if mask.head)]
        #: Longest first; the sort is stable.
        self._rules = sorted(rules, key=lambda rule: -len(rule[0].head))
        self._known: dict[str, Identity | None] = {}

    def role_of(self, address: str) -> Role | None:
        """Return the role of an address; None: it has to log in."""
        identity = self.identity_of(address)
        return identity.role if identity is not None else None

    def identity_of(self, address: str) -> Identity | None:
        """Return who asks from an address without more; it is remembered, for hosts ask each second."""
        try:
            return self._known[address]
        except KeyError:
            pass
        role = next((role for mask, role in self._rules if mask.matches(address)), None)
        if len(self._known) >= REMEMBERED_MOST:
            self._known.clear()
        identity = self._known[address] = Identity(role, address, "network") if role is not None else None
        return identity


def parse_network(text: str) -> tuple[IpMask, Role]:
    """Return what a text as `10.1.*=render` means.

    Raises:
        ConfigError: It means nothing.
    """
    mask, equals, role = text.partition("=")
    if not equals:
        raise ConfigError(f"'{text}' is not as 10.1.*=render")
    return parse_mask(mask.strip()), role_named(role.strip())


def parse_user(text: str) -> tuple[str, Role]:
    """Return what a text as `anna=manager` means.

    Raises:
        ConfigError: It means nothing.
    """
    user, equals, role = text.rpartition("=")
    if not equals or not user.strip():
        raise ConfigError(f"'{text}' is not as anna=manager")
    return user.strip(), role_named(role.strip())
