"""The viewer is a page in which a browser shows PET, CT and regions, and every value with its place."""

from __future__ import annotations

from petquant.export.viewer.page import ServedPage, page_bytes, served_page
from petquant.export.viewer.scene import Scene

__all__ = ["Scene", "ServedPage", "page_bytes", "served_page"]
