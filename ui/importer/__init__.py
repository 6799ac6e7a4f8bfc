"""The import dialog: from a model file to an installed model, by way of a completed card and a trial."""
