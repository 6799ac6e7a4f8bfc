"""Training of fusion models on stacks that the engine's sources read. Needs torch."""
