"""The only writer: takes commands from frontends and topics and appends what they decide."""
