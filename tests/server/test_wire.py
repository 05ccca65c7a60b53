"""Messages are read whole, however they arrive."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest

from trainlint.server.wire import Reader


def read_all(pieces: list[bytes]) -> list[bytes]:
    """The bodies that pygls' loop would get from these pieces, written one after the other."""
    receiving, sending = os.pipe()

    def write() -> None:
        for piece in pieces:
            os.write(sending, piece)
            time.sleep(0.01)
        os.close(sending)

    async def read() -> list[bytes]:
        bodies = []
        with os.fdopen(receiving, "rb") as stream:
            reader = Reader(stream)
            while header := await asyncio.wait_for(reader.readline(), 10):
                length = int(header.removeprefix(b"Content-Length: ").removesuffix(b"\r\n"))
                assert await reader.readline() == b"\r\n"
                bodies.append(await reader.readexactly(length))
        return bodies

    writer = threading.Thread(target=write)
    writer.start()
    try:
        return asyncio.run(read())
    finally:
        writer.join()


@pytest.mark.parametrize(
    ("pieces", "bodies"),
    [
        pytest.param([b"Content-Length: 2\r\n\r\n{}Content-Length: 3\r\n\r\n[1]"], [b"{}", b"[1]"], id="two at once"),
        pytest.param([b"Content-Le", b"ngth: 2\r", b"\n\r\n{", b"}"], [b"{}"], id="in pieces"),
        pytest.param(
            [b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\ncontent-length: 2\r\n\r\n{}"],
            [b"{}"],
            id="other headers",
        ),
        pytest.param([b"nonsense\r\n\r\nContent-Length: 2\r\n\r\n{}"], [b"{}"], id="nonsense before"),
        pytest.param([b"Content-Length: 20\r\n\r\n{}"], [], id="cut off"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_messages(pieces: list[bytes], bodies: list[bytes]) -> None:
    assert read_all(pieces) == bodies


def test_an_end_that_the_server_chose() -> None:
    receiving, sending = os.pipe()

    async def read() -> bytes:
        reader = Reader(os.fdopen(receiving, "rb"))
        asyncio.get_running_loop().call_later(0.05, reader.end)
        return await asyncio.wait_for(reader.readline(), 10)

    try:
        assert asyncio.run(read()) == b""
    finally:
        os.close(sending)
