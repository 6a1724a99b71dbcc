"""The tape: frames, journal, recovery, sealing, readers, and the store that holds it all."""
