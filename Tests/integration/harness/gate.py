"""A door before a server's federation port, which tests close to part servers that all go on running."""

import asyncio
import functools
import threading


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """The event loop of all gates, on a thread of its own that ends with the process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="gates", daemon=True).start()
    return loop


def _run(work):
    return asyncio.run_coroutine_threadsafe(work, _loop()).result(10)


class Gate:
    """Listens on a loopback port and passes every connection on to another port.

    While it is closed, connections are broken off: those there are, and those that come. Nothing is read or changed.
    """

    def __init__(self, target_port: int, port: int):
        self.target_port = target_port
        self.is_open = True
        self._transports: set[asyncio.Transport] = set()
        self.port = port
        self._server = _run(asyncio.start_server(self._serve, "127.0.0.1", self.port))

    def open(self) -> None:
        self.is_open = True

    def close(self) -> None:
        async def break_off():
            self.is_open = False
            for transport in list(self._transports):
                transport.abort()

        _run(break_off())

    def remove(self) -> None:
        """Ends the gate for good."""

        async def end():
            self._server.close()

        self.close()
        _run(end())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.is_open:
            writer.transport.abort()
            return
        try:
            onward = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:  # the server is down
            writer.transport.abort()
            return
        transports = {writer.transport, onward[1].transport}
        self._transports |= transports
        await asyncio.gather(_pass_on(reader, onward[1]), _pass_on(onward[0], writer))
        self._transports -= transports
        for transport in transports:
            transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()
