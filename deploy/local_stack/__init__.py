"""PostgreSQL and Apache Kafka from packages, a mailbox, and the whole system on one machine's loopback."""
