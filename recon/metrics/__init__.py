"""How good a prediction is, in units that mean something. Refuses to know how anything is trained."""
