"""The command line of petquant: words into values, values into files and exit codes."""
