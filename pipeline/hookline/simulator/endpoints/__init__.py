"""The endpoints of the simulator: messages first, then batches, files, models and threads."""
