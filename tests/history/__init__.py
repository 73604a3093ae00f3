"""A stored sample of every event version ever shipped, and the test that all of them load for ever."""
