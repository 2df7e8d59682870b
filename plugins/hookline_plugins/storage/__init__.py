"""Plugins that keep answers: ``cache`` (in ``stores``), and ``recording`` (in ``cassettes``)."""
