"""Layers for the model's slots: rows, bands, radiometry, and what the pre-flight finds."""
