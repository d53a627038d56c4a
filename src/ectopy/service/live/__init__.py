"""Live signals for screens: samples, their binary form, and the viewers that follow patients."""
