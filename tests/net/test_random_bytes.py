"""Random and mutated requests over sockets leave the server answering."""

import json
import random
from pathlib import Path

import gevent

from tests.net.conftest import StartServer
from tests.net.net_peers import Peer, Stub, lives

CAPTURES = json.loads((Path(__file__).parent.parent / "golden" / "edges.json").read_text())
SEEDS = [capture["request"].encode("latin-1") for capture in CAPTURES]
REQUESTS = 2000


def mutated(chance: random.Random) -> bytes:
    """Return a recorded request with some bytes changed, cut out, doubled or added."""
    data = bytearray(chance.choice(SEEDS))
    for _ in range(chance.choice((0, 1, 1, 2, 4, 8))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                data[at:at] = chance.randbytes(chance.randrange(1, 6))
            case 1:
                del data[at : at + chance.randrange(1, 6)]
            case 2:
                data[at:at] = data[: chance.randrange(30)]
            case 3 if at < len(data):
                data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, ord("{"), ord("\r"), ord("\n")))
            case _:
                del data[at:]
    return bytes(data)


def test_random_requests_leave_the_server_answering(start_server: StartServer) -> None:
    server = start_server(Stub(), af_servername="server01")
    chance = random.Random(1)

    def client() -> None:
        for _ in range(REQUESTS // 20):
            data = mutated(chance)
            cut = chance.randrange(len(data) + 1)
            with Peer(server) as peer:
                peer.send(data[:cut])
                gevent.sleep(0)
                try:
                    peer.send(data[cut:])
                    peer.shut()
                    peer.read_all()
                except OSError:
                    pass  # the server closed before

    gevent.joinall([gevent.spawn(client) for _ in range(20)], raise_error=True)
    assert lives(server)
    gevent.sleep(0.05)
    assert server.bytes_held == 0
    assert not server.waiting
    assert not server.active
