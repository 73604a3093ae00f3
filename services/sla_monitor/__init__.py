"""Fires what is due and proves that nothing due is unfired."""
