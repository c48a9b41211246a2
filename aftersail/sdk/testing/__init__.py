"""What a connector's tests need: a context, simulators, faults, recordings and the contract suite.

Import from the modules: `context`, `simulator`, `faults`, `recordings`, `contract`.
"""
