"""The engine's process: what it can be asked, by one process a command or by a warm one."""
