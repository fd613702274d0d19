"""NEMA: what a scan of a quality phantom says of the scanner.

`image_quality.image_quality` is of the IEC body phantom with six spheres, `uniformity.uniformity` of a
uniform cylinder.
"""
