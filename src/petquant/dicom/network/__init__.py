"""From an archive to a folder: studies found and fetched by DICOMweb or by DICOM C-FIND and C-GET.

pynetdicom, dicomweb-client and requests are imported here alone, when a source was named and not before.
"""
