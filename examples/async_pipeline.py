"""The same in async code: many turns at once, and a stream. trio will do as well as asyncio."""

import asyncio

from hookline import AsyncPipeline, Reply


async def ask_all(line: AsyncPipeline, questions: list[str]) -> list[Reply]:
    """Ask all questions side by side; one pipeline serves many tasks."""
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(line.send(question)) for question in questions]
    return [task.result() for task in asked]


async def main() -> None:
    """Ask three questions at once, then read a stream."""
    questions = ["What do ants eat?", "How strong are ants?", "Do ants sleep?"]
    # Leave base_url out to talk to the API.
    async with AsyncPipeline(base_url="sim:", model="claude-haiku-4-5") as line:
        replies = await ask_all(line, questions)
        async with line.stream("Write a haiku about ants") as stream:
            pieces = [text async for text in stream.text]
            last = await stream.reply

    for question, reply in zip(questions, replies, strict=True):
        print(f"{question} -> {reply.usage.output_tokens} tokens")
        assert question in reply.text
    print("".join(pieces))
    assert "".join(pieces) == last.text


if __name__ == "__main__":
    asyncio.run(main())
