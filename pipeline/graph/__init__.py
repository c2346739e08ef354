"""Which step needs which, carried out here or on a cluster. Knows nothing of what the steps do."""
