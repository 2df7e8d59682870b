"""The plugin ``tools``: run the tools that the model asks for.

Read ``loop`` first, the plugin itself; ``links`` are tools behind a URL.
"""

from hookline_plugins.tools.loop import Tools

__all__ = ["Tools"]
