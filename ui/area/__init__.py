"""Where and how finely to map, and what that will cost."""
