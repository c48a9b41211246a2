"""Figures, health and alarms, counted by the database from the tables the desk works on."""
