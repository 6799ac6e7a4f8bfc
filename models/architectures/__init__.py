"""Networks for fusion models. Every module here imports torch, which only training needs."""
