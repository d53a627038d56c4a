"""Alarms, signals and heart rates in the formats of other systems: FHIR and HL7 v2."""
