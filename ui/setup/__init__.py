"""Setting up the engine: the panel's notice, the window in which it is done, and its row on the options page."""
