"""Functional groups hold what a multi-frame image states of its frames, for all at once or one by one.

Source: DICOM PS3.3 section C.7.6.16. A group of the frame goes before the shared one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from petquant.dicom.attributes import Attributes
from petquant.dicom.tags import TAG

__all__ = ["GROUP", "Groups", "groups_of"]

GROUP = {
    "CardiacSynchronizationSequence": 0x00189118,
    "RespiratorySynchronizationSequence": 0x00209253,
    "PETFrameCorrectionFactorsSequence": 0x00189736,
    "PETFrameTypeSequence": 0x00189751,
    "FrameContentSequence": 0x00209111,
    "PlanePositionSequence": 0x00209113,
    "PlaneOrientationSequence": 0x00209116,
    "UnassignedSharedConvertedAttributesSequence": 0x00209170,
    "UnassignedPerFrameConvertedAttributesSequence": 0x00209171,
    "PixelMeasuresSequence": 0x00289110,
    "PixelValueTransformationSequence": 0x00289145,
    "RealWorldValueMappingSequence": 0x00409096,
}

_NOTHING = Attributes(values={})


@dataclass(slots=True, kw_only=True)
class Groups:
    """The functional groups of one frame.

    Parameters
    ----------
    own, shared
        Sequences of the frame alone, and of all frames.
    known
        Items of shared groups that were parsed before; the frames of a file have one such table.
    """

    own: Attributes
    shared: Attributes
    known: dict[int, list[Attributes]] = field(default_factory=dict)

    def all(self, keyword: str) -> list[Attributes]:
        """Return the items of a group.

        Raises
        ------
        ValueError
            When they do not fit into each other.
        """
        tag = GROUP[keyword]
        if self.own.values.get(tag):
            return self.own.items(tag)
        if tag not in self.known:
            self.known[tag] = self.shared.items(tag)
        return self.known[tag]

    def one(self, keyword: str) -> Attributes:
        """Return the first item of a group, without values when there is no such group."""
        items = self.all(keyword)
        return items[0] if items else _NOTHING


def groups_of(whole: Attributes) -> list[Groups]:
    """Return the groups of every frame, in the order of the pixels.

    Raises
    ------
    ValueError
        When items do not fit into each other, or there is not one for every frame.
    """
    shared = whole.items(TAG["SharedFunctionalGroupsSequence"])
    own = whole.items(TAG["PerFrameFunctionalGroupsSequence"])
    declared = whole.text(TAG["NumberOfFrames"])
    if not declared.isdecimal() or int(declared) != len(own) or not own:
        raise ValueError(
            f"NumberOfFrames (0028,0008) is {declared or 'absent'}, and "
            f"PerFrameFunctionalGroupsSequence (5200,9230) has {len(own)} items"
        )
    known: dict[int, list[Attributes]] = {}
    return [Groups(own=one, shared=shared[0] if shared else _NOTHING, known=known) for one in own]
