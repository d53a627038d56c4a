"""The monitors of all patients: what comes in, what is computed, what is stored and answered."""
