"""A small MCP server, and a hostile one: run by test_mcp in a process of its own."""

import base64
import os
import sys
import time

from mcp.server import MCPServer
from mcp.types import ImageContent, TextContent

GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

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


if __name__ == "__main__":
    if "--broken" in sys.argv:
        sys.stderr.write("\x1b[31mno database\u202e\n")
        sys.exit(1)
    if "--http" in sys.argv:
        server.run("streamable-http", port=int(sys.argv[-1]))
    else:
        server.run("stdio")
