"""The packs that come with aftersail, as YAML files beside this module."""
