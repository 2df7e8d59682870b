"""Streaming: show the reply while it is written, then use it like any other reply."""

from hookline import Pipeline


def main() -> None:
    """Print the pieces as they arrive."""
    pieces = []
    # Leave base_url out to talk to the API.
    with (
        Pipeline(base_url="sim:", model="claude-haiku-4-5") as line,
        line.stream("Write a haiku about ants", prefill="Old pond") as stream,
    ):
        for text in stream.text:
            print(text, end="", flush=True)
            pieces.append(text)
        reply = stream.reply
    print()
    print(f"{len(pieces)} pieces, {reply.usage.output_tokens} tokens, {reply.stop_reason}")

    assert len(pieces) > 1
    assert pieces[0].startswith("Old pond")  # the prefill comes first …
    assert "".join(pieces) == reply.text  # … and the pieces are the reply
    assert reply.text.count("Old pond") == 1


if __name__ == "__main__":
    main()
