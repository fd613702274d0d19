"""Polygons: closed contours in the patient, filled on the PET grid by even-odd, plane by plane."""

from petquant.polygons.fill import Edge, Filled, filled

__all__ = ["Edge", "Filled", "filled"]
