"""The pure core that every service shares, and beside it the adapters that touch the world."""
