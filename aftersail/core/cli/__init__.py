"""The command line: what people and scripts call. It holds no rules; every command stands on the runtime."""
