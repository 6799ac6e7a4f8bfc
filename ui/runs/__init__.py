"""The queue of runs, their rows, menus and logs; `model.RunModel` is the only truth of them."""
