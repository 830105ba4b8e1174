"""Choosing what starts where: checks, order, the tree of offers, and the solver itself."""
