"""One organisation's rules: what may leave, what it may cost, and the record of what happened."""
