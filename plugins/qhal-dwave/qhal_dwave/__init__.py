"""D-Wave's samplers as qhal oracles."""
