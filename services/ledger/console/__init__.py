"""Pages for ops and auditors: rendered here, usable without JavaScript; only the live board moves with it."""
