"""Choosing the model: the list of installed ones, and the ways a new one comes in."""
