"""Coverage-guided fuzzing of every reader and of the command line; see `__main__`."""
