"""What a run made, in the project and on paper."""
