"""What to do about an alarm, in one sentence; the deploying organisation's own rules come first."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_CERTIFIED = "check the certified monitor"

ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "asystole": f"Go to the patient now and {_CERTIFIED}; if there is no pulse, call for help and begin CPR.",
        "ventricular fibrillation": (
            f"Go to the patient now and {_CERTIFIED}; if there is no pulse, call for help, begin CPR and defibrillate."
        ),
        "extreme bradycardia": f"Go to the patient now, look for consciousness and pulse, and {_CERTIFIED}.",
        "ventricular tachycardia": f"Go to the patient now, look for consciousness and pulse, and {_CERTIFIED}.",
        "extreme tachycardia": f"Go to the patient now, look for consciousness and pulse, and {_CERTIFIED}.",
        "high rate": f"See the patient soon, and {_CERTIFIED}; look for pain, fever, effort or loss of blood.",
        "low rate": f"See the patient soon, and {_CERTIFIED}; look for dizziness and recent medication.",
        "ventricular run": f"See the patient soon, {_CERTIFIED}, and look at the strip.",
        "supraventricular run": f"See the patient soon, {_CERTIFIED}; a 12-lead ECG can tell what it is.",
        "pause": f"See the patient soon, {_CERTIFIED}, and look at the strip.",
        "couplet": "Look at the strip when there is time, and compare it with earlier ones.",
        "bigeminy": "Look at the strip when there is time, and compare it with earlier ones.",
        "irregular rhythm": "Look at the strip when there is time; a 12-lead ECG can tell what it is.",
        "not this patient's normal": "Look at the beats when there is time; learn the normal again if this is usual.",
        "slow recovery": "Rest, and watch until the rate has come down.",
        "sudden drop": "Stop the effort, sit down, and see how the person is.",
        "ectopy with effort": "Reduce the effort, and have the strip looked at before the next one.",
        "loss of pulse": f"Go to the patient now, look for consciousness and pulse, and {_CERTIFIED}.",
        "not confirmed by pulse": f"Look at the strip of ECG and pulse, and {_CERTIFIED}; check the electrodes.",
        "probe off": "Check the pulse probe or the arterial line, and the patient's hand.",
        "no data": "Check the device, its battery and its connection.",
        "lead off": "Check the electrodes and the cable.",
        "restarts": "Let one device alone send for this patient; check its cable and its settings.",
        "two senders": "Find out which of the two devices is the patient's, and stop the other one or revoke its key.",
        "noise": "Check the electrodes; dry skin, movement and loose cables make noise.",
        "clock": "Set the clock of the device.",
        "detector failed": "Watch the patient by the certified monitor alone, and tell who runs the service.",
        "storage failed": "Tell who runs the service: what is watched cannot be stored.",
        "nobody reached": "Tell who runs the service, and look after the alarms by hand: messages reach nobody.",
        "baseline": "Look at what was learned as the patient's normal; learn it again while the rhythm is usual.",
    }
)
"""By code of the condition."""
