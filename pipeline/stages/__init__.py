"""The verbs of the build, one per file: a thought without files, and `run`, which reads and writes."""
