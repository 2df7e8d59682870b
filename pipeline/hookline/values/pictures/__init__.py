"""What is known of images and documents before anybody decodes them.

``header`` reads what an image says of itself in its first bytes, ``pdf`` counts pages; ``tokens`` says what they cost,
``survey`` finds all of a request. ``files`` finds the images that a directory or a pattern means; ``pixels`` are
images that lie in memory as numbers.
"""
