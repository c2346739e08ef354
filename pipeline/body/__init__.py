"""SMPL-X parameters to vertices and joints. Refuses to know scans."""
