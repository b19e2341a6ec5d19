"""The graph model, the contract that every engine fulfils, and its two engines."""
