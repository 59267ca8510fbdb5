"""The inner loops, compiled by Numba into its cache; each module is one subject.

Importing a kernel module costs the import of Numba, so families import them when a track is started.
"""
