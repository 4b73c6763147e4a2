"""Batch withholding: the files of a bank, and what is published for them."""
