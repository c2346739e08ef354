"""Which step needs which, carried out here or on a cluster. Knows nothing of what the steps do."""

from pipeline.graph.crew import Terms, open_crew

__all__ = ["Terms", "open_crew"]
