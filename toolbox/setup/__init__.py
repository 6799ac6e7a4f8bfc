"""Setting up the engine's own environment: what is installed, with which Python, and how it goes."""
