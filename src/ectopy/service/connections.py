"""Connections of the service: how many there may be, and how long one may keep the service waiting.

A listening socket counts what it accepts, before TLS and HTTP know of it, and the HTTP protocol says which connections
wait for their client: for the rest of a request, for the next one, or for room to write. Such a connection has a
deadline. When there are too many connections, those that wait longest make room for new ones, so that half-open
requests keep nobody out.
"""

from __future__ import annotations

import errno
import math
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

HEADERS_S = 10.0
"""Time that a TLS handshake and the headers of a request may take, and a connection be idle."""

BODY_S = 30.0
"""Time that a body may take, and the time that each further `BODY_BYTES` of it add."""

BODY_BYTES = 2**17

WRITE_S = 60.0
"""Time in which a client may take nothing of an answer."""

_SPARE_DESCRIPTORS = 96
_MOST_DESCRIPTORS = 2**16
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def raise_descriptor_limit() -> None:
    """Raise the limit of open files of this process as far as it may; the usual soft limit is 1024."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        limit = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
        if soft != resource.RLIM_INFINITY and soft < limit:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def connections_within_descriptors(connections: int) -> int:
    """Return how many connections fit below the limit of descriptors, leaving room for the database and the log."""
    try:
        import resource
    except ImportError:  # where there is no such limit
        return connections
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return connections if soft == resource.RLIM_INFINITY else max(1, min(connections, soft - _SPARE_DESCRIPTORS))


def _never() -> bool:
    return False


@dataclass(slots=True, eq=False)
class Connection:
    """A connection, and until when its client may keep the service waiting; infinite while it does not."""

    socket: socket.socket
    address: str
    until: float
    is_our_fault: Callable[[], bool] = _never


class Connections:
    """All connections of a server, at most so many in total and of one client's address.

    To be used in the thread of the event loop alone.
    """

    def __init__(self, most: int, most_per_address: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._most_per_address, self._clock = most, most_per_address, clock
        self._open: dict[int, Connection] = {}
        self._of_address: Counter[str] = Counter()
        # By address; the connection that waits longest is first.
        self._waiting: dict[str, dict[Connection, None]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def listen(self, host: str, port: int) -> list[socket.socket]:
        """Return sockets bound to every address of a host, whose connections are counted.

        An `OSError` if one of them cannot be bound.
        """
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        listeners: list[socket.socket] = []
        try:
            for family, _, _, _, place in dict.fromkeys(places):
                listener: socket.socket = _Listener(self, family)
                listeners.append(listener)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                listener.bind((place[0], port, *place[2:]))
                port = listener.getsockname()[1]  # the same for all of them where any would do
        except OSError:
            for listener in listeners:
                listener.close()
            raise
        return listeners

    def make_room(self) -> bool:
        """Return whether the next connection can be accepted; if not, begin to end the one that waits longest.

        The address with most connections has to give one up. Where none waits, the next one is accepted, to be closed.
        """
        if len(self._open) < self._most:
            return True
        return not any(self._end_oldest(address) for address, _ in self._of_address.most_common())

    def admit(self, accepted: _Accepted, address: str) -> bool:
        """Count a new connection; return whether it may stay."""
        if len(self._open) >= self._most:
            return False
        if self._of_address[address] >= self._most_per_address and not self._end_oldest(address):
            return False
        connection = self._open[accepted.fileno()] = Connection(accepted, address, math.inf)
        self._of_address[address] += 1
        accepted.closed = self._closed
        self.waits(connection, HEADERS_S)
        return True

    def of(self, accepted: socket.socket) -> Connection:
        """Return the connection of a socket; one that was not accepted here is not counted, and has no deadlines."""
        return self._open.get(accepted.fileno()) or Connection(accepted, "", math.inf)

    def waits(self, connection: Connection, allowed_s: float, is_our_fault: Callable[[], bool] = _never) -> None:
        """Begin to wait for a client, at most so long; longer while the delay is the service's own."""
        self.serves(connection)
        if self._open.get(connection.socket.fileno()) is connection:
            connection.until, connection.is_our_fault = self._clock() + allowed_s, is_our_fault
            self._waiting.setdefault(connection.address, {})[connection] = None

    def serves(self, connection: Connection) -> None:
        """Wait for a client no longer: it is the service's turn."""
        connection.until = math.inf
        waiting = self._waiting.get(connection.address, {})
        waiting.pop(connection, None)
        if not waiting:
            self._waiting.pop(connection.address, None)

    def end_late(self) -> None:
        """End the connections that have kept the service waiting for too long."""
        now = self._clock()
        late = [connection for own in self._waiting.values() for connection in own if connection.until <= now]
        for connection in late:
            if connection.is_our_fault():
                connection.until = now + BODY_S
            else:
                self._end(connection)

    def _end_oldest(self, address: str) -> bool:
        """End the connection of an address that waits longest; return whether there was one."""
        waiting = self._waiting.get(address, {})
        oldest = next((connection for connection in waiting if not connection.is_our_fault()), None)
        if oldest is not None:
            self._end(oldest)
        return oldest is not None

    def _end(self, connection: Connection) -> None:
        """Let the event loop find that a connection is over; it closes it then."""
        self.serves(connection)
        with suppress(OSError):
            connection.socket.shutdown(socket.SHUT_RDWR)

    def _closed(self, descriptor: int) -> None:
        connection = self._open.pop(descriptor)
        self.serves(connection)
        self._of_address[connection.address] -= 1
        if not self._of_address[connection.address]:
            del self._of_address[connection.address]


class _Accepted(socket.socket):
    """A connection that says when it is closed."""

    closed: Callable[[int], None] | None = None

    def close(self) -> None:
        """Close it."""
        closed, self.closed = self.closed, None
        if closed is not None:
            closed(self.fileno())
        super().close()


class _Listener(socket.socket):
    """A listening socket that accepts no more connections than there may be."""

    def __init__(self, connections: Connections, family: int) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self._connections, self._resting = connections, False

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept the next connection that may stay; a `BlockingIOError` if there is none now."""
        while True:
            if self._resting or not self._connections.make_room():
                self._resting = False
                raise BlockingIOError
            try:
                connection, place = super().accept()
            except OSError as error:
                # The event loop then rests for a second, but only after it has tried as often as its backlog is long.
                self._resting = error.errno in _OUT_OF_DESCRIPTORS
                raise
            accepted = _Accepted(fileno=connection.detach())
            if self._connections.admit(accepted, str(place[0])):
                return accepted, place
            accepted.close()


class Protocol(H11Protocol):
    """HTTP that reports whose turn it is: the client's until its request is complete, and after the answer again.

    A subclass names the `counted` connections, those of the server.
    """

    counted: Connections

    _connection: Connection
    _turn: object = None

    def connection_made(self, transport: Any) -> None:
        """Begin; the time for the headers counts from when the connection was accepted."""
        super().connection_made(transport)
        self._connection = self.counted.of(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        """Take data."""
        super().data_received(data)
        self._tell(len(data))

    def on_response_complete(self) -> None:
        """Go on after an answer."""
        super().on_response_complete()
        self._tell()

    def pause_writing(self) -> None:
        """Wait until the client takes more of an answer."""
        super().pause_writing()
        self.counted.waits(self._connection, WRITE_S)

    def resume_writing(self) -> None:
        """Go on with the answer."""
        super().resume_writing()
        self._turn = None
        self._tell()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Hand over to the WebSocket, which asks its client for signs of life."""
        self.counted.serves(self._connection)
        super().handle_websocket_upgrade(event)

    def _tell(self, received: int = 0) -> None:
        cycle = self.cycle
        if cycle is None or self.flow.write_paused:
            return
        turn = cycle, cycle.more_body, cycle.response_complete
        if self._turn == turn:
            if cycle.more_body and not cycle.response_complete:
                self._connection.until += received * BODY_S / BODY_BYTES
            return
        self._turn = turn
        if cycle.response_complete:
            self.counted.waits(self._connection, HEADERS_S)
        elif cycle.more_body:
            self.counted.waits(self._connection, BODY_S, lambda: self.flow.read_paused)
        else:
            self.counted.serves(self._connection)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """WebSockets where a refusal is a complete handshake; uvicorn would log each one as an error."""

    async def send(self, message: Any) -> None:
        """Send."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = self.close_sent
