"""The command line, `redress`: one module a command group."""
