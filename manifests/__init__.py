"""The contract between a build and its readers: Parquet tables of scans, views and rejects.

The only room that knows Arrow and Parquet. Refuses to know what is in an image.
"""

import os

# How long (ms) Arrow's allocator keeps what was freed; it asks once, when Arrow is loaded. Giving every row
# group's memory back, and taking it again for the next one, took a sixth of a fold's time.
os.environ.setdefault("MIMALLOC_PURGE_DELAY", "1000")
