"""All that touches the world: the store, the bus, keys, settings, logs."""
