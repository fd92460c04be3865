"""Tools through the gateway's proxy: refusals as everywhere else, and nothing of a call in any log."""

from __future__ import annotations

import asyncio
import logging

import pytest

from embedded import ids
from gateway import Gateway
from gateway.errors import GatewayUnavailable, NotAllowed, SignedOut
from tests.embedded import Embedded


async def test_neither_token_nor_arguments_nor_results_reach_a_log(
    gateway: Embedded, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = await asyncio.to_thread(gateway.token, "user@example.com")
    async with asyncio.timeout(15), Gateway(gateway.url, token).use_tools(ids.FILES) as tools:
        listed = await tools.call_tool("list_files", {"folder": "/"})
        await tools.call_tool("read_file", {"path": "/a-s3cret-path"})
    assert "/report.pdf" in str(listed)
    assert token not in caplog.text
    assert "s3cret" not in caplog.text
    assert "report.pdf" not in caplog.text


@pytest.mark.parametrize(
    ("email", "provider_id", "error"),
    [("user@example.com", ids.RETIRED_TOOLS, NotAllowed), ("other@example.com", ids.FILES, NotAllowed)],
)
async def test_what_the_gateway_refuses_is_told_as_everywhere_else(
    gateway: Embedded, email: str, provider_id: str, error: type[Exception]
) -> None:
    token = await asyncio.to_thread(gateway.token, email)
    async with asyncio.timeout(15):
        with pytest.raises(error):
            async with Gateway(gateway.url, token).use_tools(provider_id) as tools:
                await tools.list_tools()


async def test_a_token_that_is_refused_signs_out(gateway: Embedded) -> None:
    async with asyncio.timeout(15):
        with pytest.raises(SignedOut):
            async with Gateway(gateway.url, "no.login.token").use_tools(ids.FILES) as tools:
                await tools.list_tools()


async def test_a_gateway_that_is_away_is_unavailable() -> None:
    async with asyncio.timeout(15):
        with pytest.raises(GatewayUnavailable):
            async with Gateway("http://127.0.0.1:9", "a.login.token").use_tools("any"):
                pass


async def test_what_goes_wrong_inside_the_block_leaves_it_as_it_is(gateway: Embedded) -> None:
    token = await asyncio.to_thread(gateway.token, "user@example.com")
    async with asyncio.timeout(15):
        with pytest.raises(LookupError, match="of the caller's own"):
            async with Gateway(gateway.url, token).use_tools(ids.FILES):
                raise LookupError("of the caller's own")
