"""The process around the monitor: storage, notification, and the engine that feeds it."""
