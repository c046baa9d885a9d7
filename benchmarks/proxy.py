"""A server in between that hands on what it gets from clients so many milliseconds later; answers come at once.

Threads, and `time.sleep`: an event loop's clock is coarser than the delays that are measured.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from urllib.parse import urlsplit, urlunsplit

__all__ = ["delayed"]

_Late = SimpleQueue[tuple[float, bytes]]


@contextmanager
def delayed(url: str, milliseconds: float) -> Iterator[str]:
    """The URL under which the server of `url` answers so much later, while the block runs."""
    at = urlsplit(url)
    target = (at.hostname or "127.0.0.1", at.port or 5432)
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        accepting = threading.Thread(target=_accept, args=(listening, target, milliseconds / 1e3), daemon=True)
        accepting.start()
        user = at.netloc.rpartition("@")[0]
        place = f"127.0.0.1:{listening.getsockname()[1]}"
        yield urlunsplit(at._replace(netloc=f"{user}@{place}" if user else place))
        listening.shutdown(socket.SHUT_RDWR)
        accepting.join()


def _accept(listening: socket.socket, target: tuple[str, int], delay: float) -> None:
    with suppress(OSError):  # the block is over
        while True:
            client, _ = listening.accept()
            server = socket.create_connection(target)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            late: _Late = SimpleQueue()
            for work in (
                lambda client=client, late=late: _receive(client, late, delay),
                lambda late=late, server=server: _deliver(late, server),
                lambda server=server, client=client: _answer(server, client),
            ):
                threading.Thread(target=work, daemon=True).start()


def _receive(client: socket.socket, late: _Late, delay: float) -> None:
    with suppress(OSError):
        while data := client.recv(1 << 16):
            late.put((time.perf_counter() + delay, data))
    late.put((0.0, b""))


def _deliver(late: _Late, server: socket.socket) -> None:
    with suppress(OSError):
        while True:
            due, data = late.get()
            if not data:
                server.shutdown(socket.SHUT_WR)
                return
            wait = due - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            server.sendall(data)


def _answer(server: socket.socket, client: socket.socket) -> None:
    with server, client, suppress(OSError):
        while data := server.recv(1 << 16):
            client.sendall(data)
        client.shutdown(socket.SHUT_RDWR)  # closing it would wait for the thread that receives from it
