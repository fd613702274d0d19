"""Classes of TotalSegmentator v2, task ``total``: the numbers in its label maps, by name.

Source: wasserth/TotalSegmentator, ``totalsegmentator/map_to_binary.py``, ``class_map["total"]``.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CLASSES", "class_numbers"]

CLASSES: Final[dict[str, int]] = {
    "spleen": 1,
    "kidney_right": 2,
    "kidney_left": 3,
    "liver": 5,
    "pancreas": 7,
    "adrenal_gland_right": 8,
    "adrenal_gland_left": 9,
    "lung_upper_lobe_left": 10,
    "lung_lower_lobe_left": 11,
    "lung_upper_lobe_right": 12,
    "lung_middle_lobe_right": 13,
    "lung_lower_lobe_right": 14,
    "sacrum": 25,
    "vertebrae_L5": 27,
    "vertebrae_L4": 28,
    "vertebrae_L3": 29,
    "vertebrae_L2": 30,
    "vertebrae_L1": 31,
    "vertebrae_T12": 32,
    "vertebrae_T11": 33,
    "vertebrae_T10": 34,
    "vertebrae_T9": 35,
    "vertebrae_T8": 36,
    "vertebrae_T7": 37,
    "vertebrae_T6": 38,
    "vertebrae_T5": 39,
    "vertebrae_T4": 40,
    "heart": 51,
    "aorta": 52,
    "inferior_vena_cava": 63,
    "portal_vein_and_splenic_vein": 64,
    "gluteus_maximus_left": 80,
    "gluteus_maximus_right": 81,
    "gluteus_medius_left": 82,
    "gluteus_medius_right": 83,
    "gluteus_minimus_left": 84,
    "gluteus_minimus_right": 85,
    "autochthon_left": 86,
    "autochthon_right": 87,
    "iliopsoas_left": 88,
    "iliopsoas_right": 89,
    "brain": 90,
}


def class_numbers(label: str) -> tuple[str, ...]:
    """Return the labels that ``A+B+...`` means: numbers as they are, names by their number.

    A name that is no class stays: it may be that of a mask.
    """
    return tuple(str(CLASSES.get(part, part)) for part in label.split("+"))
