"""DICOM: from a folder of any kind to one PET series, its header and its volume."""
