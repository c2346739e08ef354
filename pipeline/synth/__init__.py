"""Procedural people: scans, joints and a body model of this project's own, for demos and tests.

Refuses to know what is done with them: it writes files that look like a dataset's, and that is all.
"""
