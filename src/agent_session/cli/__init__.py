"""The command line: one verb a file, put together in `main`."""
