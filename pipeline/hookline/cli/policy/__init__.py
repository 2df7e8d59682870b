"""``hookline policy``: try rules before they decide. ``judging`` asks them, ``commands`` prints the answer."""
