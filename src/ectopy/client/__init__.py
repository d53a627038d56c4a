"""Devices and programs that send to the service: its client, and what goes over the line."""

from ectopy.client.client import Client

__all__ = ["Client"]
