"""Who owns a complaint now, and what other complaints say about it."""
