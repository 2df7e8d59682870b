"""``hookline replay``: what another configuration would make of recorded requests.

``recorded`` reads what was recorded, ``rehearsal`` takes it through a pipeline that sends nothing, ``comparison``
says what changes, and ``command`` prints it.
"""
