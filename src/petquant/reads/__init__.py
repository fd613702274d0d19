"""Reads: what scans of one patient with several tracers say about the same lesions.

Nothing here opens a file of images: values come in, tables go out.
"""
