"""What all parts of the panel use: words, small widgets, questions to the engine, lengths on the ground."""
