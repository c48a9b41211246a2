"""What comes in: pages and cursors, dedupe, threading messages into tickets."""
