"""The Processing toolbox: algorithms, the engine client, layers as sources, and styled results."""
