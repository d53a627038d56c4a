"""Leads by the codes of ISO/IEEE 11073-10101, which SCP-ECG, DICOM and HL7 aECG share.

Source: DICOM PS3.16, context group 3001.
"""

from __future__ import annotations

_NAMES = {
    **{1: "I", 2: "II", 61: "III", 62: "aVR", 63: "aVL", 64: "aVF", 65: "-aVR"},
    **{code: f"V{code - 2}" for code in range(3, 10)},
    **{66: "V8", 67: "V9", 68: "V8R", 69: "V9R"},
    **{code: f"V{code - 8}R" for code in range(10, 16)},
    **{16: "X", 17: "Y", 18: "Z", 19: "CC5", 20: "CM5", 21: "LA", 22: "RA", 23: "LL", 147: "RL"},
    **{24: "Frank I", 25: "Frank E", 26: "Frank C", 27: "Frank A", 28: "Frank M", 29: "Frank F", 30: "Frank H"},
    **{31: "dI", 32: "dII", 111: "dIII", 112: "daVR", 113: "daVL", 114: "daVF"},
    **{code: f"dV{code - 32}" for code in range(33, 39)},
    **{70: "Nehb D", 71: "Nehb A", 72: "Nehb J", 73: "Defib", 74: "Extern"},
    **{code: f"A{code - 74}" for code in range(75, 79)},
    **{86: "C", 87: "V", 88: "VR", 89: "VL", 90: "VF", 91: "MCL", 98: "CC", 105: "CM"},
    **{code: f"MCL{code - 91}" for code in range(92, 98)},
    **{99: "CC1", 100: "CC2", 101: "CC3", 102: "CC4", 103: "CC6", 104: "CC7"},
    **{106: "CM1", 107: "CM2", 108: "CM3", 109: "CM4", 110: "CM6", 121: "CM7"},
    **{122: "CH5", 123: "CS5", 124: "CB5", 125: "CR5", 126: "ML"},
    **{code: f"AB{code - 126}" for code in range(127, 131)},
    **{131: "ES", 132: "AS", 133: "AI", 134: "S"},
}


def lead_name(code: int) -> str:
    """Return the name of a lead by its number within the block of leads; where it has none, the number.

    Examples
    --------
    >>> lead_name(61), lead_name(5), lead_name(255)
    ('III', 'V3', 'lead 255')
    """
    return _NAMES.get(code, f"lead {code}")
