"""Watches live ECG: a pure function from a state and an input to the next state and events."""
