"""A form with one file, as ``multipart/form-data`` (RFC 7578)."""

import secrets
from collections.abc import Mapping

__all__ = ["form"]


def form(
    content: bytes, filename: str, media_type: str, fields: Mapping[str, str]
) -> tuple[str, bytes]:
    """Write a form whose field ``file`` holds a file.

    Args:
        content: of the file.
        filename: its name.
        media_type: its type.
        fields: further fields.

    Returns:
        The content type of the form, and its body.

    """
    # So long and random that no content holds it.
    boundary = f"hookline-{secrets.token_hex(24)}"
    parts: list[bytes] = []
    for name, value in fields.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n'
        parts += (head.encode(), value.encode(), b"\r\n")
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{_quoted(filename)}"\r\n'
        f"Content-Type: {media_type}\r\n\r\n"
    )
    parts += (head.encode(), content, f"\r\n--{boundary}--\r\n".encode())
    return f"multipart/form-data; boundary={boundary}", b"".join(parts)


def _quoted(name: str) -> str:
    """Write a name as browsers do (WHATWG HTML, multipart form data): it cannot end its header."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
