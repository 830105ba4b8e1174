"""Parsers: how a render host reads the output of a task. One module and class of the same name for each."""
