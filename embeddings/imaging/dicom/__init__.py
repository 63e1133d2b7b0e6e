"""DICOM folders and multi-frame files -> volumes."""
