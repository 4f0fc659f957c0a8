"""How long the workbench waits for whoever has connected: for what they ask, for what they send, and for them to take the answer."""

import asyncio

from starlette.exceptions import HTTPException
from uvicorn.protocols.http.h11_impl import H11Protocol

ASK, TAKE = (
    10,
    60,
)  # seconds for a request's header and for its body, or for each part of an upload; for taking what waits to be sent


class Timely(H11Protocol):
    """A connection that ends when its header does not come, or when nobody takes what it answers."""

    due = stuck = None

    def connection_made(self, transport):
        super().connection_made(transport)
        self.watch()

    def data_received(self, data):
        super().data_received(data)
        self.watch()

    def connection_lost(self, exc):
        super().connection_lost(exc)
        for timer in filter(None, (self.due, self.stuck)):
            timer.cancel()

    def watch(self):
        """A clock runs from the first byte of a header, or from the connection, to the last; a websocket has its own pings."""
        idle = (
            self.cycle is None or self.cycle.response_complete
        ) and self.transport.get_protocol() is self
        if idle and self.due is None:
            self.due = self.loop.call_later(ASK, self.transport.abort)
        elif not idle and self.due is not None:
            self.due.cancel()
            self.due = None

    def pause_writing(self):
        super().pause_writing()
        self.stuck = self.stuck or self.loop.call_later(TAKE, self.transport.abort)

    def resume_writing(self):
        super().resume_writing()
        if self.stuck is not None:
            self.stuck.cancel()
            self.stuck = None


def timely(receive, whole):
    """`receive`, given up when a body does not come in time: the `whole` of it, or each part."""
    clock = asyncio.get_running_loop().time
    end, done = clock() + ASK, False

    async def part():
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

    return part
