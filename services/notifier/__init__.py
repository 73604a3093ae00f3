"""Letters to complainants, alerts to staff, webhooks: sent once, retried, reported back."""
