"""Which views are learnt from, and how they become batches. Refuses to know the network and its losses."""
