"""What the simulator answers.

Read ``reply`` first; ``stream`` tells a reply as events. The others are its parts.
"""
