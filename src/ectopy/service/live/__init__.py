"""Live signals for screens: samples, their binary form, and who follows which patient."""
