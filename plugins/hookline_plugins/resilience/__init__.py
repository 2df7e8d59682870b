"""Plugins for the days when the API, or the way to it, is not well.

Read ``retry`` first, the only one that is on by default. ``breaker`` stops asking who is down, ``hedge`` asks
twice, ``limiter`` (with its ``queue``) asks no faster than allowed, ``fallback`` (with ``model_adaptation``) asks
somebody else, ``resume`` (with ``stream_splice``) goes on where a stream broke.
"""
