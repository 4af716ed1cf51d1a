"""The client of the gateway that the tools of MCP work with."""

import httpx
import pytest

from shared.contracts.api.executions import RequestAccepted
from shared.mcp.api import GatewayApi, RefusedError


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
async def test_what_json_cannot_carry_is_a_refusal(value: object) -> None:
    """It is said in words what to do; nothing is sent, and nothing breaks."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200)

    async with httpx.AsyncClient(
        transport=httpx.MockTransport(answer), base_url="http://x"
    ) as http:
        with pytest.raises(RefusedError) as refused:
            await GatewayApi(http, "hive_key").post("/p", RequestAccepted, {"value": value})
    assert refused.value.details.status == 400
    assert "as text" in refused.value.details.detail
    assert sent == []
