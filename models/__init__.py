"""What a fusion model is: its card, its readers, the library of installed models, architectures and training."""
