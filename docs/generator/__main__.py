"""Write every generated part of the documentation: ``python -m generator``.

``--check`` writes nothing, and fails if something would have to be written.
"""

import sys

from generator.pages import drawn

stale = {
    path: text
    for path, text in drawn().items()
    if not path.exists() or path.read_text(encoding="utf-8") != text
}
if "--check" in sys.argv:
    sys.exit("run `make docs`: " + ", ".join(path.name for path in stale) if stale else 0)
for path, text in stale.items():
    path.write_text(text, encoding="utf-8")
    print(f"written: {path}")  # noqa: T201 -- a command
