"""aftersail: a self-hosted after-sales desk with a plugin host for marketplaces and carriers."""

__version__ = "0.1.0"
