import pytest

from afanasy_py.errors import ConfigError
from afanasy_py.ip_masks import holder, parse_mask


@pytest.mark.parametrize(
    ("mask", "address", "wanted"),
    [
        ("*.*", "10.1.2.3", True),
        ("*.*", "::1", False),
        ("*:*", "::1", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("192.168.*", "192.168.7.7", True),
        ("192.168.*", "192.169.7.7", False),
        ("192.168.*", "::ffff:192.168.7.7", True),
        ("FD00:*", "fd00::5", True),
        ("FD00:*", "fe80::5%eth0", False),
        ("fe80:*", "fe80::5%eth0", True),
        ("0:0:0:0:0:0:0:1", "::1", True),
        ("*.*", "host.name", False),
    ],
)
def test_a_mask_is_the_beginning_of_an_address(mask: str, address: str, wanted: bool) -> None:
    assert parse_mask(mask).matches(address) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "bad",
        "1.2.3:4",
        "1.2.3.4.5",
        "1.",
        "256.*",
        "x.*",
        "-1.*",
        "+1.*",
        "1_0.*",
        "::1",
        "12345:*",
        "1:" * 8,
    ],
)
def test_what_is_no_mask_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError, match="Invalid Server IP Mask: "):
        parse_mask(text)


@pytest.mark.parametrize(
    ("address", "stands_for"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("no:address", "no:address"),
        ("", ""),
    ],
)
def test_who_has_a_network_of_ipv6_counts_as_one(address: str, stands_for: str) -> None:
    assert holder(address) == stands_for
