"""Servers in between: a pooler in transaction mode, and one that speaks TLS for a server that does not."""

import asyncio
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

SSL_REQUEST = struct.pack("!ii", 8, 80877103)


@contextmanager
def serving(serve: Serve) -> Iterator[int]:
    """Serve connections to a port of this machine, in a thread of its own, while the block runs."""
    loop = asyncio.new_event_loop()
    port: list[int] = []
    ready, stop = threading.Event(), asyncio.Event()

    async def main() -> None:
        tasks: set[asyncio.Task[None]] = set()

        async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                with suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
                    await serve(reader, writer)
            finally:
                tasks.discard(task)
                writer.close()
                with suppress(OSError, ssl.SSLError):
                    await writer.wait_closed()

        server = await asyncio.start_server(served, "127.0.0.1", 0)
        port.append(server.sockets[0].getsockname()[1])
        ready.set()
        await stop.wait()
        server.close()
        left = tuple(tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield port[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def through(url: str, port: int) -> str:
    """The URL of the same database by way of another port."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}").geturl()


async def _connect(url: str) -> Streams:
    parts = urlsplit(url)
    return await asyncio.open_connection(parts.hostname, parts.port)


# -- a pooler in transaction mode


def pooling(url: str) -> Serve:
    """Each transaction of a client goes to another one of its two sessions on the server."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        startup = await _startup(reader, writer)
        sessions = [await _connect(url), await _connect(url)]
        for session in sessions:
            session[1].write(startup)
            greeting = [message async for message in _answers(session)]
        writer.write(b"".join(greeting))
        current = 0

        async def relay(session: Streams) -> None:
            nonlocal current
            while True:
                async for message in _answers(session):
                    if message[:1] == b"Z" and message[-1:] == b"I":  # no transaction is open
                        current = 1 - current
                    writer.write(message)

        relays = [asyncio.create_task(relay(session)) for session in sessions]
        try:
            while True:
                kind, message = await _message(reader)
                if kind == b"X":  # the client says goodbye, and waits for the end
                    return
                sessions[current][1].write(message)
        finally:
            for task, (_, to) in zip(relays, sessions, strict=True):
                task.cancel()
                to.close()
            await asyncio.gather(*relays, return_exceptions=True)

    return serve


async def _startup(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    while True:
        head = await reader.readexactly(4)
        body = await reader.readexactly(struct.unpack("!i", head)[0] - 4)
        if head + body != SSL_REQUEST:
            return head + body
        writer.write(b"N")


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    return head[:1], head + await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)


async def _answers(session: Streams) -> AsyncIterator[bytes]:
    """What the server says until it is ready for the next query."""
    while True:
        kind, message = await _message(session[0])
        yield message
        if kind == b"Z":
            return


# -- TLS


def encrypting(url: str, context: ssl.SSLContext) -> Serve:
    """Speaks TLS with the client, and not with the server."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readexactly(8) != SSL_REQUEST:
            return  # nothing without TLS
        writer.write(b"S")
        await writer.start_tls(context)
        from_server, to_server = await _connect(url)
        await asyncio.gather(_copy(reader, to_server), _copy(from_server, writer))

    return serve


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, ssl.SSLError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
