"""The process around the monitor: storage, notification, and the hub that feeds it."""
