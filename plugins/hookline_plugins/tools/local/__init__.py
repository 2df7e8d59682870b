"""The tools that work on files and run commands here: ``files`` is the wall around a folder.

``memory`` and ``editor`` are the commands that a model may give within it; ``shell`` runs commands, in a
sandbox that the operator names.
"""
