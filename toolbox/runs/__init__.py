"""One run: made, looked at before, gone on with, remembered, cleaned up."""
