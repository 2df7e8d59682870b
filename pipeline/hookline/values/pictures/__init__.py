"""What is known of a picture before anybody decodes it.

``header`` reads what a file says of itself in its first bytes; ``files`` finds the pictures that a directory or a
pattern means; ``pixels`` are pictures that lie in memory as numbers.
"""
