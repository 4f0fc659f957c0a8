"""End connections that send or take too slowly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from uvicorn.protocols.http.h11_impl import H11Protocol

ASK = 10  # seconds for a request's header and for its body, or for each part of an upload
TAKE = 60  # seconds for taking what waits to be sent
Receive = Callable[[], Awaitable[dict]]


class TimedProtocol(H11Protocol):
    """A connection that ends when no header comes, or when nobody takes the answer."""

    due = stuck = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Start the clock for the first header."""
        super().connection_made(transport)
        self.watch_header()

    def data_received(self, data: bytes) -> None:
        """Take bytes, and stop the clock where a header is complete."""
        super().data_received(data)
        self.watch_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks."""
        super().connection_lost(exc)
        for timer in filter(None, (self.due, self.stuck)):
            timer.cancel()

    def watch_header(self) -> None:
        """Run a clock while a header comes.

        It starts with its first byte, or with the connection, and ends with its last. A websocket has its own pings.
        """
        answered = self.cycle is None or self.cycle.response_complete
        idle = answered and self.transport.get_protocol() is self
        if idle and self.due is None:
            self.due = self.loop.call_later(ASK, self.transport.abort)
        elif not idle and self.due is not None:
            self.due.cancel()
            self.due = None

    def pause_writing(self) -> None:
        """Start the clock for the answer to be taken."""
        super().pause_writing()
        self.stuck = self.stuck or self.loop.call_later(TAKE, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop it."""
        super().resume_writing()
        if self.stuck is not None:
            self.stuck.cancel()
            self.stuck = None


def limit_body_time(receive: Receive, whole: bool) -> Receive:
    """Give up a body that comes too slowly.

    whole: all of it has to come in time, else each part.
    """
    clock = asyncio.get_running_loop().time
    end, done = clock() + ASK, False

    async def receive_part() -> dict:
        nonlocal done
        if done:  # what comes then is that somebody has gone
            return await receive()
        try:
            async with asyncio.timeout_at(end if whole else clock() + ASK):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, f"expected the whole request within {ASK} s") from None
        done = message["type"] != "http.request" or not message.get("more_body")
        return message

    return receive_part
