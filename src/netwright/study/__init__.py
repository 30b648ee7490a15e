"""The parts around the loop: what a search may spend, how it is set up, its final phase, and its result."""
