"""Programs as values: the effect nodes, the words users say, and what combines them."""
