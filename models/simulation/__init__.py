"""Simulated landscapes: terrain, water, roads, buildings, fields and trees, what a camera sees of them,
an incomplete OpenStreetMap extract, a coarser elevation model, and the truth.

``scene.simulate`` makes the arrays and features, ``write.write_scene`` the layers.
"""
