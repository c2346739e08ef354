"""The model: parts, network, losses, training. Refuses to know how scans became images."""
