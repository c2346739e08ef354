"""How far predictions are from the truth, in units one can picture. Refuses to know how one trains."""
