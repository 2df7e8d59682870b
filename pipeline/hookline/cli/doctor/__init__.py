"""``hookline doctor``: what is wrong with this installation, and what to do about each thing.

Every look is a function of its own that yields what it ``found``, so that one which fails hides no other:
``installation`` looks at packages, ``setting`` at what is configured, ``server`` at who answers. ``command`` prints.
"""
