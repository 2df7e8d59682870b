"""``hookline chat``: a conversation at the terminal.

Read ``command`` (what the command line takes), ``session`` (the loop: read, answer, go on), ``commands``
(what a line that begins with "/" does), ``prompt`` (how a message is read, from a terminal or a pipe) and
``transcript`` (conversations on disk).
"""
