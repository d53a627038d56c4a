"""The service over HTTP and WebSocket: thin routes, one module for each subject."""
