"""Looking at a map before it is made and while it is being made."""
