"""The pack language: reading, checking and compiling a written complaint procedure."""
