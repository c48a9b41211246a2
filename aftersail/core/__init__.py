"""The core: contract, host, and the rooms that hold every channel to one SLA and one return policy."""
