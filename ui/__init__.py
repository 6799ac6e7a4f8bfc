"""What the user sees: the dock and its parts. Thin: it fills in what a toolbox algorithm takes, and runs it."""
