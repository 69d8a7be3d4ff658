"""The command line: configuration, folders, progress, sweeps."""
