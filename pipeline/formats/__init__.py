"""Bytes to records and back: one file per format. Repairs, rescales and rotates nothing."""
