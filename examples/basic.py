"""One question, one reply: text, tokens, stop reason, cost and the record of the journey.

Run it with ``python examples/basic.py``. It asks the built-in simulator, so it needs no key.
"""

from hookline import Pipeline


def main() -> None:
    """Send one message and show what came back."""
    # Leave base_url out to talk to the API; the key then comes from ANTHROPIC_API_KEY.
    with Pipeline(base_url="sim:", model="claude-haiku-4-5") as line:
        reply = line.send("Hello, Claude", max_tokens=200)

    print(reply.text)
    print(f"{reply.usage.input_tokens} + {reply.usage.output_tokens} tokens, {reply.cost} USD")
    print(f"stopped because of {reply.stop_reason!r}, answered by {reply.model}")
    print(reply.trace.render())

    assert "Hello, Claude" in reply.text
    assert reply.stop_reason == "end_turn"
    assert reply.usage.output_tokens > 0
    assert reply.cost is not None
    assert len(reply.trace.attempts) == 1


if __name__ == "__main__":
    main()
