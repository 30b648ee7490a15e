"""The command line: it parses, calls the library and prints. Nothing of the library knows it."""
