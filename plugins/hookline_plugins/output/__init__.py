"""The plugin ``output``: the reply as a value of a type, not as text.

Read ``plugin`` first: what is asked for, and how a reply is read. ``ways`` are the three in which a
server can be told, and ``answering_tool`` makes of a tool's call the text that it stands for.
"""

from hookline_plugins.output.plugin import Output

__all__ = ["Output"]
