"""The algorithms of the Processing provider, one a file."""
