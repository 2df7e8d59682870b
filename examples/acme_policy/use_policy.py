"""An organisation's policy at work: it allows, masks and refuses, plain and streamed alike.

``policy=`` takes plugins whose role is ``enforcer``: whatever goes wrong in one refuses the turn.
"""

from acme_policy import MASK, AcmePolicy
from hookline import Message, Pipeline, PolicyViolation, ToolResultBlock, ToolUseBlock
from hookline.send_options import SendOptions
from hookline.simulator import Rule, Scenario, Simulator

MODEL = "claude-haiku-4-5"
TOOL = {"name": "rename", "input_schema": {"type": "object", "properties": {"Prometheus": {}}}}
TOOL_TURNS = [
    Message("user", "Look it up."),
    Message("assistant", [ToolUseBlock("toolu_1", "look_up", {"key": 7})]),
    Message("user", [ToolResultBlock("toolu_1", "7 is Prometheus")]),
    Message("assistant", "Found."),
]
LEAK = Rule(when="project", reply="The project is called Prometheus, they say.", chunk=3)


def main() -> None:
    """Try what is allowed and what is not."""
    policy = AcmePolicy(models=(MODEL,), max_tokens=500, forbidden=("prometheus",))
    simulator = Simulator(Scenario.of(LEAK))
    # Leave base_url out to talk to the API.
    with Pipeline(base_url=simulator, model=MODEL, max_tokens=500, policy=policy) as line:
        assert "Hello" in line.send("Hello").text  # allowed

        masked = f"The project is called {MASK}, they say."  # in the reply, whole or in pieces
        assert line.send("What is the project called?").text == masked
        with line.stream("What is the project called?") as stream:
            assert "".join(stream.text) == masked

        refused: list[SendOptions] = [
            {"model": "claude-opus-5-5"},
            {"max_tokens": 501},
            {"system": "You work on Prometheus."},
            {"messages": [Message("user", "PROMETHEUS?"), Message("assistant", "Yes.")]},
            {"messages": TOOL_TURNS},
            {"prefill": "Prometheus is"},
            {"tools": [TOOL]},
        ]
        for options in refused:
            for stream_it in (False, True):
                print(f"{next(iter(options))}: {attempt(line, options, stream_it=stream_it)}")

    strict = AcmePolicy(models=(MODEL,), forbidden=("prometheus",), replies="refuse")
    with Pipeline(base_url=simulator, model=MODEL, max_tokens=500, policy=strict) as line:
        for stream_it in (False, True):
            print(f"reply: {attempt(line, {}, 'Which project?', stream_it=stream_it)}")


def attempt(
    line: Pipeline, options: SendOptions, message: str = "Hello", *, stream_it: bool
) -> str:
    """Return the text of the refusal; a turn that passes is a mistake of this example."""
    try:
        if stream_it:
            with line.stream(message, **options) as stream:
                shown = "".join(stream.text)
        else:
            shown = line.send(message, **options).text
    except PolicyViolation as refusal:
        return f"{refusal.rule}: {refusal}"
    raise AssertionError(f"not refused: {shown}")


if __name__ == "__main__":
    main()
