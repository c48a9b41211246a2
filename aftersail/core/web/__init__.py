"""The desk in a browser and over HTTP: read-only pages and API, and the door for webhooks. It holds no rules."""
