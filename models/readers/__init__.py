"""Readers that turn other metadata conventions into our card."""
