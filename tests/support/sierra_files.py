"""Documents of Philips Sierra XML."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np


def _with_limb_leads(counts: np.ndarray) -> np.ndarray:
    """Leads III, aVR, aVL and aVF as I and II imply them, off by a step now and then as recorders round them."""
    first, second = counts[:, :2].T
    third = second - first + np.arange(len(counts)) % 2
    counts[:, 2:6] = np.transpose([third, -(first + second) // 2, (first - third) // 2, (second + third) // 2])
    return counts


COUNTS = _with_limb_leads(np.rint(200 * np.sin(np.arange(500)[:, None] / np.arange(9, 21))).astype(int))


def sierra(
    path: Path,
    content: bytes | str,
    *,
    version: str = "1.04",
    duration: str = "1000",
    labels: str = "I II III aVR aVL aVF V1 V2 V3 V4 V5 V6",
    compression: str = "Uncompressed",
    resolution: str = "5",
    traits: str = "",
    leads: str | None = None,
) -> Path:
    """A document; `leads` are the attributes of the samples where the version does not name them."""
    text, encoding = (content, "Plain") if isinstance(content, str) else (base64.b64encode(content).decode(), "Base64")
    if leads is None:
        leads = f'compression="{compression}" numberofleads="{len(labels.split())}" leadlabels="{labels}"'
    path.write_text(
        '<?xml version="1.0"?><restingecgdata xmlns="http://www3.medical.philips.com"><documentinfo>'
        f"<documenttype>PhilipsECG</documenttype><documentversion>{version}</documentversion></documentinfo>"
        '<dataacquisition date="2009-11-02" time="07:30:15"><machine machineid="7">PageWriter</machine>'
        f"<signalcharacteristics><samplingrate>500</samplingrate><resolution>{resolution}</resolution>"
        f"<signaloffset>0</signaloffset>{traits}</signalcharacteristics></dataacquisition><patient><generalpatientdata>"
        "<patientid>P-17</patientid><name><lastname>Byron</lastname><firstname>Ada</firstname></name><age>"
        "<dateofbirth>1953-05-08</dateofbirth></age><sex>Female</sex></generalpatientdata></patient><waveforms>"
        f'<parsedwaveforms dataencoding="{encoding}" {leads} durationperchannel="{duration}">{text}</parsedwaveforms>'
        "</waveforms></restingecgdata>"
    )
    return path


def stored(counts: np.ndarray) -> bytes:
    """The leads one after the other; of the limb leads what I and II do not say of them."""
    first, second, third = counts[:, :3].T
    said = [second - first, -((first + second) // 2), (first - third) // 2, (second + third) // 2]
    result = counts.T.copy()
    result[2] = said[0] - counts[:, 2]
    result[3] = said[1] - counts[:, 3]
    result[4] = said[2] - counts[:, 4]
    result[5] = said[3] - counts[:, 5]
    return result.astype("<i2").tobytes()
