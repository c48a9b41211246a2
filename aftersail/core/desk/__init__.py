"""Tickets, their states and clocks, the decisions on them, and the answers that leave."""
