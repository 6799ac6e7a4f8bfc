"""Widgets of Processing's own windows."""
