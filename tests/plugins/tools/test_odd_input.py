"""What a model gets to read when the input of its call is no object."""

from typing import Any

import pytest

from hookline import Pipeline
from hookline.testing import FaultServer, json_answer, message


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"input": "nonsense"}, "the input is no JSON object: nonsense"),
        ({"input": [1]}, "the input is no JSON object: [1]"),
        ({"input": 5}, "the input is no JSON object: 5"),
        ({"input": None}, "city"),
        ({}, "city"),
    ],
)
def test_the_next_request_holds_an_error_that_names_the_problem(
    given: dict[str, Any], said: str
) -> None:
    ran: list[str] = []

    def weather(city: str) -> str:
        """Tell the weather."""
        ran.append(city)
        return "sunny"

    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", **given}
    first = {**message(""), "content": [call], "stop_reason": "tool_use"}
    with (
        FaultServer(json_answer(first), json_answer(message("Sorry."))) as stub,
        Pipeline(base_url=stub.url, api_key="k", model="claude-haiku-4-5") as line,
    ):
        assert line.send("How is it?", tools=[weather]).response.text == "Sorry."
    told = stub.requests[1].json["messages"]
    assert isinstance(told[1]["content"][0]["input"], dict)
    (result,) = told[2]["content"]
    assert result["tool_use_id"] == "toolu_1"
    assert result["is_error"] is True
    assert said in result["content"]
    assert ran == []
