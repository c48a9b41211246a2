"""Settings, secrets, schedules and the daemon: what puts the rooms together."""
