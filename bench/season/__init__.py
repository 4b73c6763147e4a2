"""A summer of all channels as events, and what must become of each of them."""
