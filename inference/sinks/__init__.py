"""The sinks: where results become files."""
