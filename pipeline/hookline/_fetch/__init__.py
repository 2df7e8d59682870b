"""The one guarded door for URLs that somebody else wrote; everything that is fetched comes through it.

Read ``fetch`` first: check, look up, connect to what was checked. ``url_grammar`` reads a URL in the one way
that it can be read, ``ip_ranges`` knows which addresses are public.
"""
