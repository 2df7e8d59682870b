"""The checks of the conformance suite, each a function that yields what is wrong; ``suite`` has the table of them.

``content`` and ``alike`` look at what leaves, ``media`` and ``tools`` at what a plugin brings along, ``replies`` and
``parts`` at what comes back; ``repeats``, ``elsewhere``, ``again`` and ``later`` do things twice, ``isolation`` for two;
``failing`` lets things go wrong; ``waiting``, ``leftovers``, ``privacy`` and ``hygiene`` look at what lies around.
"""
