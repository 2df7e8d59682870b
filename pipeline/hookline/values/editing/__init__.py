"""Changing a request or a reply all through: what the methods of `Request` and `Reply` are made of.

Read ``blocks`` first, the one walk under all of it; ``text`` changes text wherever it stands.
"""
