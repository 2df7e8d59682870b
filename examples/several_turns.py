"""A conversation: the history is kept and sent, and a synthetic assistant turn stands in it.

A synthetic turn is one that no model wrote: an example to follow, a summary, a corrected answer.
"""

from hookline import Pipeline


def main() -> None:
    """Take two turns, put one in by hand, take a third."""
    # Leave base_url out to talk to the API.
    with Pipeline(base_url="sim:", model="claude-haiku-4-5") as line:
        chat = line.conversation(system="Be brief.")
        chat.send("Hello, Claude")
        chat.send("Can you describe LLMs to me?")
        chat.add("user", "And in three words?")
        chat.add("assistant", "Predicts next words.")
        reply = chat.send("And in one?")

    for message in chat.messages:
        print(f"{message.role:>9}: {message.text!r}")

    # What was sent is the whole conversation up to and with the last question …
    sent = [(message.role, message.text) for message in reply.request.messages]
    assert sent[0] == ("user", "Hello, Claude")
    assert sent[5] == ("assistant", "Predicts next words.")
    assert sent[6] == ("user", "And in one?")
    # … and what is remembered is that and the reply.
    assert len(chat.messages) == 8  # noqa: PLR2004 -- four questions, four answers
    assert chat.messages[-1].text == reply.text


if __name__ == "__main__":
    main()
