"""Feeding sample data through the public API: what each row says, sent in order, and an account of all of them."""
