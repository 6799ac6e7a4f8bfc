"""Blocks on a Dask cluster: the same plan, the same blocks, the same bytes, on workers that share the run folder.

The client hands a worker nothing but the name of a ticket in the run folder and a block's index; the worker writes the
block beside the ticket. So a worker that cannot see the folder cannot do harm, and Dask carries no pixels.
"""
