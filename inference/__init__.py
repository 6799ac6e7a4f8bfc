"""The engine: grid, sources, tiles, sessions, merging, outputs and the command line."""
