"""A model's card as the user sees it: in a line, on the panel, in a window."""
