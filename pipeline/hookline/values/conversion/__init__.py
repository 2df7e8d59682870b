"""JSON to values and back: ``rules`` first, as hooks of a cattrs converter; ``reading`` makes values with them."""
