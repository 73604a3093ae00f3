"""A mailbox on this machine: takes every mail that the system sends and shows it in the browser; passes nothing on."""
