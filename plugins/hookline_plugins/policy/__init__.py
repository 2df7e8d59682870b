"""Plugins with which an organisation governs what its applications send and get."""
