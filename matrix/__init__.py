"""The same sessions verified under other Pythons and other versions of packages: `just matrix`."""
