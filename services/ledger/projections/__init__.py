"""The read models, one module each: what it keeps, and how a batch of changed streams changes it."""
