"""The Messages API at one destination: headers, bodies, errors, event streams.

Read ``upstream`` first; ``bodies`` and ``event_stream`` are the two forms in which it answers.
"""
