"""Magic packets."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from afanasy_py.render import wol


@pytest.mark.parametrize("text", ["0200ab00cd01", "02:00:ab:00:cd:01", "02-00-AB-00-CD-01"])
def test_a_packet_is_six_ff_and_sixteen_addresses(text: str) -> None:
    assert wol.magic_packet(text) == b"\xff" * 6 + b"\x02\x00\xab\x00\xcd\x01" * 16


@pytest.mark.parametrize("text", ["", "0200ab00cd", "0200ab00cd0g", "0200ab00cd0102"])
def test_a_wrong_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Invalid hardware address"):
        wol.magic_packet(text)


def test_every_address_gets_its_packet() -> None:
    macs = ["020000000001", "02:00:00:00:00:02", "020000000003"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        port = str(receiver.getsockname()[1])
        program = Path(__file__).parents[2] / "bin" / "wolwake"
        options = ["--wake", "--ip", "192.0.2.2", "--hostname", "render01", "--broadcast", "127.0.0.1"]
        subprocess.run(
            [sys.executable, program, *options, "--port", port, *macs],
            check=True,
            capture_output=True,
        )
        assert [receiver.recv(200) for _ in macs] == [wol.magic_packet(mac) for mac in macs]


def test_nothing_is_sent_when_one_address_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert wol.main(["wake", "020000000001", "xx", "--broadcast", "127.0.0.1"]) == 1
    assert "Invalid hardware address: xx" in capsys.readouterr().err


def test_sleep_says_what_it_would_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert wol.main(["sleep", "--sleep", "--ip", "192.0.2.2", "020000000001", "--dry-run"]) == 0
    assert "Going to sleep" in capsys.readouterr().out
