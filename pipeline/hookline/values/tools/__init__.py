"""Tools as values: ``definitions`` first, then the ``input`` of a call and the ``events`` of its running."""
