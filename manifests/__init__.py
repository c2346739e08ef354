"""The contract between a build and its readers: Parquet tables of scans, views and rejects.

The only room that knows Arrow and Parquet. Refuses to know what is in an image.
"""
