"""Learning from labels: layers and labels become a trained, measured model. Training itself needs torch."""
