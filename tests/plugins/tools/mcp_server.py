"""A small MCP server, and a hostile one: run by test_mcp in a process of its own."""

import asyncio
import base64
import os
import sys
import time

from mcp.server import MCPServer
from mcp.types import ImageContent, TextContent

GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

if noise := os.environ.get("NOISE"):
    print(noise, flush=True)  # noqa: T201 -- where messages belong

server = MCPServer("test")


@server.tool(description=os.environ.get("DESCRIPTION", "Add two numbers."))
def add(a: int, b: int) -> int:
    return a + b


@server.tool()
def fail(a: int) -> str:
    """Fail."""
    raise LookupError("no such number")


@server.tool()
def hang(a: int) -> str:
    """Hang."""
    time.sleep(60)
    return "late"


@server.tool()
def flood(a: int) -> str:
    """Write to stderr without end."""
    for _ in range(2_000):
        sys.stderr.write("\x1b[31mnoise\u202e " * 100 + "\n")
    return "flooded"


@server.tool()
def look(a: int) -> list[TextContent | ImageContent]:
    """Look."""
    picture = base64.b64encode(GIF).decode()
    return [
        TextContent(type="text", text="what I see"),
        ImageContent(type="image", data=picture, mime_type="image/gif"),
    ]


@server.tool(structured_output=False)
def big(a: int) -> str:
    """Return 50 MB."""
    return "x" * 50_000_000


@server.tool()
def binary(a: int) -> list[ImageContent]:
    """Return what is no image."""
    data = base64.b64encode(bytes(range(256))).decode()
    return [ImageContent(type="image", data=data, mime_type="image/png")]


@server.tool()
def die(a: int) -> str:
    """Die."""
    os._exit(3)


@server.resource("notes://ants")
def ants() -> str:
    return "Ants have six legs."


@server.prompt()
def greet(name: str) -> str:
    return f"Say hello to {name}."


def hostile() -> None:
    """Offer tools whose schemas would harm whoever judges inputs by them."""
    from mcp.server import lowlevel
    from mcp.types import ListToolsResult, Tool

    nested: dict[str, object] = {"type": "object"}
    for _ in range(70):
        nested = {"type": "object", "properties": {"a": nested}}
    schemas: dict[str, dict[str, object]] = {
        "harmless": {"type": "object", "properties": {"a": {"type": "integer"}}},
        "slow": {
            "type": "object",
            "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}},
        },
        "remote": {"type": "object", "properties": {"a": {"$ref": "https://example.com/a.json"}}},
        "deep": nested,
        "two.in_one": {"type": "object"},
        "two_in.one": {"type": "object"},
    }

    async def list_tools(_context: object, _params: object) -> ListToolsResult:
        if "--mute" in sys.argv:
            sys.stderr.write("the table of tools is gone\n")
            raise LookupError("no tools")
        return ListToolsResult(
            tools=[Tool(name=name, input_schema=schema) for name, schema in schemas.items()]
        )

    async def main() -> None:
        from mcp.server.stdio import stdio_server

        low = lowlevel.Server("hostile", on_list_tools=list_tools)
        async with stdio_server() as (reading, writing):
            await low.run(reading, writing, low.create_initialization_options())

    asyncio.run(main())


if __name__ == "__main__":
    if "--hostile" in sys.argv:
        hostile()
        sys.exit()
    if "--broken" in sys.argv:
        sys.stderr.write("\x1b[31mno database\u202e\n")
        sys.exit(1)
    if "--http" in sys.argv:
        server.run("streamable-http", port=int(sys.argv[-1]))
    else:
        server.run("stdio")
