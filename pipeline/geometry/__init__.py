"""What happens to points: pure NumPy that reads, writes and draws nothing."""
