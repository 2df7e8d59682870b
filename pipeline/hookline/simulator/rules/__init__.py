"""What the simulator judges: the API's rules, in the API's order and with its words.

Read ``request`` first, which runs all of them. ``fields``, ``block_fields`` and ``tool_fields`` are tables in the
language of ``shape``; the others are the rules that tables cannot say.
"""
