"""What the simulator measures: tokens, and the pictures in a request."""
