"""Requests and scripts as tutorials of 2023 to 2025 wrote them, in words of our own."""

from typing import Any

__all__ = ["REQUESTS", "SCRIPTS"]

PDF = "JVBERi0xLjQKMSAwIG9iago8PC9UeXBlL0NhdGFsb2cvUGFnZXMgMiAwIFI+PgplbmRvYmoKMiAwIG9iago8PC9UeXBlL1BhZ2VzL0tpZHNbMyAwIFJdL0NvdW50IDE+PgplbmRvYmoKMyAwIG9iago8PC9UeXBlL1BhZ2UvUGFyZW50IDIgMCBSL01lZGlhQm94WzAgMCA3MiA3Ml0+PgplbmRvYmoKdHJhaWxlcjw8L1Jvb3QgMSAwIFI+Pgo="
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
SENTIMENT = {
    "name": "record_sentiment",
    "description": "Write down how a text feels.",
    "input_schema": {
        "type": "object",
        "properties": {"feeling": {"type": "string", "enum": ["good", "bad"]}},
        "required": ["feeling"],
    },
}
SCHEMA = {
    "type": "json_schema",
    "schema": {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
        "additionalProperties": False,
    },
}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


REQUESTS: dict[str, dict[str, Any]] = {
    "2023, one question": {
        "model": "claude-2",
        "prompt": "\n\nHuman: Why is the sky blue?\n\nAssistant:",
        "max_tokens_to_sample": 300,
    },
    "2023, with a system prompt and a dialogue": {
        "model": "claude-2.1",
        "prompt": "You answer in rhymes.\n\nHuman: Hi there.\n\nAssistant: Hello, my dear.\n\n"
        "Human: How tall is the Eiffel tower?\n\nAssistant:",
        "max_tokens_to_sample": 500,
        "temperature": 0.9,
        "stop_sequences": ["\n\nHuman:"],
    },
    "2023, words in its mouth": {
        "model": "claude-instant-1.2",
        "prompt": "\n\nHuman: List three rivers as JSON.\n\nAssistant: Here they are: [",
        "max_tokens_to_sample": 200,
        "top_k": 10,
        "top_p": 0.8,
    },
    "2024, the first messages": {
        "model": "claude-3-opus-20240229",
        "max_tokens": 1024,
        "messages": [user("Hello, Claude")],
    },
    "2024, a classifier that must not waver": {
        "model": "claude-3-haiku-20240307",
        "max_tokens": 5,
        "temperature": 0.0,
        "system": "Answer with spam or ham.",
        "messages": [user("You have won a yacht!")],
    },
    "2024, brainstorming": {
        "model": "claude-3-sonnet-20240229",
        "max_tokens": 2000,
        "temperature": 1.0,
        "top_p": 0.95,
        "messages": [user("Twenty names for a bakery.")],
    },
    "2024, prefill for JSON": {
        "model": "claude-3-5-sonnet-20240620",
        "max_tokens": 1024,
        "temperature": 0,
        "messages": [user("Extract the name from: I am Ada."), assistant("{")],
    },
    "2024, few-shot examples": {
        "model": "claude-3-5-haiku-20241022",
        "max_tokens": 10,
        "top_k": 1,
        "messages": [
            user("happy"),
            assistant("positive"),
            user("gloomy"),
            assistant("negative"),
            user("radiant"),
        ],
    },
    "2024, tools of the beta": {
        "model": "claude-3-opus-20240229",
        "max_tokens": 1024,
        "tools": [WEATHER],
        "messages": [user("How is the weather in Bern?")],
        "betas": ["tools-2024-05-16"],
    },
    "2024, a tool that must be called": {
        "model": "claude-3-5-sonnet-20241022",
        "max_tokens": 500,
        "tools": [SENTIMENT],
        "tool_choice": {"type": "tool", "name": "record_sentiment"},
        "messages": [user("What a lovely day.")],
    },
    "2024, any tool, one at a time": {
        "model": "claude-3-5-sonnet-latest",
        "max_tokens": 500,
        "temperature": 0.2,
        "tools": [SENTIMENT, WEATHER],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "messages": [user("How is the weather in Rome?")],
    },
    "2024, the second half of a tool loop": {
        "model": "claude-3-opus-latest",
        "max_tokens": 500,
        "tools": [WEATHER],
        "messages": [
            user("How is the weather in Bern?"),
            assistant(
                [
                    text("Let me look."),
                    {
                        "type": "tool_use",
                        "id": "toolu_1",
                        "name": "get_weather",
                        "input": {"city": "Bern"},
                    },
                ]
            ),
            user([{"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rain."}]),
        ],
    },
    "2024, a picture": {
        "model": "claude-3-sonnet-20240229",
        "max_tokens": 300,
        "messages": [
            user(
                [
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                    },
                    text("What colour is this?"),
                ]
            )
        ],
    },
    "2024, a PDF of the beta, cached": {
        "model": "claude-3-5-sonnet-20241022",
        "max_tokens": 1024,
        "messages": [
            user(
                [
                    {
                        "type": "document",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                        "cache_control": {"type": "ephemeral"},
                    },
                    text("Sum it up."),
                ]
            )
        ],
        "betas": ["pdfs-2024-09-25", "prompt-caching-2024-07-31"],
    },
    "2024, a computer to use": {
        "model": "claude-3-5-sonnet-20241022",
        "max_tokens": 1024,
        "tools": [
            {
                "type": "computer_20241022",
                "name": "computer",
                "display_width_px": 1024,
                "display_height_px": 768,
                "display_number": 1,
            },
            {"type": "text_editor_20241022", "name": "str_replace_editor"},
            {"type": "bash_20241022", "name": "bash"},
        ],
        "messages": [user("Save a picture of a cat.")],
        "betas": ["computer-use-2024-10-22"],
    },
    "2025, thinking with a budget": {
        "model": "claude-3-7-sonnet-20250219",
        "max_tokens": 20_000,
        "thinking": {"type": "enabled", "budget_tokens": 16_000},
        "messages": [user("Are there infinitely many primes of the form 4k + 3?")],
        "betas": ["output-128k-2025-02-19"],
    },
    "2025, a small budget": {
        "model": "claude-sonnet-4-20250514",
        "max_tokens": 3000,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "messages": [user("27 times 453?")],
    },
    "2025, thoughts between tools": {
        "model": "claude-opus-4-20250514",
        "max_tokens": 9000,
        "thinking": {"type": "enabled", "budget_tokens": 4000},
        "tools": [WEATHER],
        "messages": [
            user("How is the weather in Bern?"),
            assistant(
                [
                    {"type": "thinking", "thinking": "I should look.", "signature": "c2lnbmF0dXJl"},
                    {
                        "type": "tool_use",
                        "id": "toolu_1",
                        "name": "get_weather",
                        "input": {"city": "Bern"},
                    },
                ]
            ),
            user([{"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rain."}]),
        ],
        "betas": ["interleaved-thinking-2025-05-14"],
    },
    "2025, more than the new one writes": {
        "model": "claude-opus-4-1-20250805",
        "max_tokens": 200_000,
        "temperature": 0.3,
        "messages": [user("A novel, please.")],
    },
    "2025, the web and the code": {
        "model": "claude-opus-4-1",
        "max_tokens": 1024,
        "tools": [
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
            {"type": "code_execution_20250522", "name": "code_execution"},
        ],
        "messages": [user("Plot the rainfall of Bern.")],
        "betas": ["code-execution-2025-05-22", "files-api-2025-04-14"],
    },
    "2025, tools that stream their input": {
        "model": "claude-sonnet-4-0",
        "max_tokens": 1024,
        "tools": [WEATHER],
        "messages": [user("Weather in Bern?")],
        "betas": ["fine-grained-tool-streaming-2025-05-14", "token-efficient-tools-2025-02-19"],
    },
    "2025, structured output of the beta": {
        "model": "claude-opus-4-1",
        "max_tokens": 1024,
        "output_format": SCHEMA,
        "messages": [user("Who wrote Emma?")],
        "betas": ["structured-outputs-2025-11-13"],
    },
    "2025, a document that the assistant holds": {
        "model": "claude-sonnet-4-20250514",
        "max_tokens": 1024,
        "messages": [
            user("Here is what we have."),
            assistant(
                [
                    {
                        "type": "document",
                        "title": "Minutes",
                        "source": {"type": "text", "media_type": "text/plain", "data": "We met."},
                    },
                    text("That was the meeting."),
                ]
            ),
            user("What came of it?"),
        ],
    },
    "2025, a quote that the user hands back": {
        "model": "claude-3-7-sonnet-latest",
        "max_tokens": 1024,
        "temperature": 0.1,
        "messages": [
            user(
                [
                    text(
                        "You said: grass is green.",
                        citations=[
                            {
                                "type": "char_location",
                                "cited_text": "The grass is green.",
                                "document_index": 0,
                                "document_title": "On grass",
                                "start_char_index": 0,
                                "end_char_index": 19,
                            }
                        ],
                    ),
                    text("Is it?"),
                ]
            )
        ],
    },
    "2025, a long memory": {
        "model": "claude-sonnet-4-20250514",
        "max_tokens": 1024,
        "system": [text("Be brief. " * 40, cache_control={"type": "ephemeral", "ttl": "1h"})],
        "messages": [user("Hi")],
        "betas": ["context-1m-2025-08-07", "extended-cache-ttl-2025-04-11"],
    },
}

# Each with what is found in it: the line, and the rule that finds it, where the successors are taken.
SCRIPTS: dict[str, tuple[str, set[tuple[int, str]]]] = {
    "2023, completions": (
        """\
from anthropic import Anthropic, HUMAN_PROMPT, AI_PROMPT

anthropic = Anthropic()
question = "How long is a marathon?"
completion = anthropic.completions.create(
    model="claude-2",
    max_tokens_to_sample=300,
    prompt=f"{HUMAN_PROMPT} {question}{AI_PROMPT}",
)
print(completion.completion)
""",
        {
            (1, "completion"),
            (6, "model"),
            (7, "completion"),
            (8, "completion"),
            (5, "thinking-default"),
        },
    ),
    "2023, an instant answer, put together by hand": (
        """\
import anthropic

client = anthropic.Anthropic()
prompt = anthropic.HUMAN_PROMPT + " Name a fruit." + anthropic.AI_PROMPT + " A fruit:"
print(
    client.completions.create(
        prompt=prompt, model="claude-instant-1", max_tokens_to_sample=10, temperature=0
    ).completion
)
""",
        {
            (4, "completion"),
            (7, "model"),
            (7, "completion"),
            (6, "thinking-default"),
            (7, "sampling"),
            (6, "sampling"),
            (6, "prefill"),
        },
    ),
    "2024, hello": (
        """\
import anthropic

MODEL = "claude-3-opus-20240229"

client = anthropic.Anthropic()
message = client.messages.create(
    model=MODEL,
    max_tokens=1000,
    temperature=0.0,
    system="Answer like a poet.",
    messages=[{"role": "user", "content": "Tell me about the sea."}],
)
print(message.content[0].text)
""",
        {(3, "model"), (6, "thinking-default"), (9, "sampling")},
    ),
    "2024, a function and its prefill": (
        """\
from anthropic import Anthropic

client = Anthropic()


def extract(words: str) -> str:
    message = client.messages.create(
        model="claude-3-haiku-20240307",
        max_tokens=200,
        top_p=0.5,
        messages=[
            {"role": "user", "content": f"As JSON: {words}"},
            {"role": "assistant", "content": "{"},
        ],
    )
    return "{" + message.content[0].text


print(extract("Ada, 36"))
""",
        {(8, "model"), (7, "thinking-default"), (10, "sampling"), (13, "prefill")},
    ),
    "2024, a forced tool": (
        """\
import anthropic

tools = [
    {
        "name": "save",
        "description": "Keep an entry.",
        "input_schema": {"type": "object", "properties": {"name": {"type": "string"}}},
    }
]
settings = {
    "model": "claude-3-5-sonnet-20241022",
    "max_tokens": 1024,
    "tools": tools,
    "tool_choice": {"type": "tool", "name": "save"},
}
reply = anthropic.Anthropic().messages.create(
    messages=[{"role": "user", "content": "Keep Ada."}], **settings
)
print(reply.content)
""",
        {(11, "model"), (16, "thinking-default"), (14, "forced-tool")},
    ),
    "2024, betas in a header": (
        """\
import anthropic

client = anthropic.Anthropic(
    default_headers={"anthropic-beta": "prompt-caching-2024-07-31, max-tokens-3-5-sonnet-2024-07-15"}
)
with client.messages.stream(
    model="claude-3-5-sonnet-20240620",
    max_tokens=8192,
    messages=[{"role": "user", "content": "Hello"}],
) as stream:
    for text in stream.text_stream:
        print(text)
""",
        {(4, "beta"), (7, "model"), (6, "thinking-default")},
    ),
    "2025, a budget": (
        """\
import anthropic

response = anthropic.Anthropic().messages.create(
    model="claude-sonnet-4-20250514",
    max_tokens=16000,
    thinking={"type": "enabled", "budget_tokens": 10000},
    messages=[{"role": "user", "content": "Is 221 prime?"}],
)
print(response.content[-1].text)
""",
        {(4, "model"), (6, "thinking")},
    ),
    "2025, the beta client": (
        """\
import anthropic

client = anthropic.Anthropic()
response = client.beta.messages.create(
    model="claude-opus-4-1-20250805",
    max_tokens=1024,
    betas=["code-execution-2025-05-22", "context-1m-2025-08-07"],
    tools=[{"type": "code_execution_20250522", "name": "code_execution"}],
    messages=[{"role": "user", "content": "The mean of 1, 2 and 6?"}],
)
print(response.content)
""",
        {(5, "model"), (4, "thinking-default"), (7, "beta")},
    ),
    "2025, a batch": (
        """\
import anthropic

client = anthropic.Anthropic()
batch = client.messages.batches.create(
    requests=[
        {
            "custom_id": f"row-{index}",
            "params": {
                "model": "claude-3-5-haiku-latest",
                "max_tokens": 100,
                "temperature": 0.2,
                "messages": [{"role": "user", "content": name}],
            },
        }
        for index, name in enumerate(["ant", "bee"])
    ]
)
print(batch.id)
""",
        {(9, "model"), (8, "thinking-default"), (8, "sampling"), (11, "sampling")},
    ),
}
