"""Write every generated part of the documentation: ``python -m generator``."""

from generator.pages import drawn

for path, text in drawn().items():
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
        print(f"written: {path}")  # noqa: T201 -- a command
