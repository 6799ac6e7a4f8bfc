"""The training dialog: layers and labels become a model, with its curve to watch."""
