"""Writes those parts of the documentation that the code itself says best: ``make docs``.

A page holds prose and regions; a region is whatever stands between two comments::

    <!-- generated: hooks -->
    <!-- end -->

Its text is drawn anew from the code, and stays in the repository, so that a plain clone and a code host
show what a built documentation shows. ``tests/house/test_generated.py`` holds it current.

Read ``pages`` first, which knows what can be drawn; ``names`` describes public names with the help of
``source``, ``signatures`` and ``prose``; ``tables`` draws tables; ``house`` draws the picture of the
packages. What is written follows from source text, not from how one version of Python prints a type.
"""
