"""The version of petquant, which stands in every output."""

__version__ = "0.1.0"
