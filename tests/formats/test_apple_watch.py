"""The ECG of an Apple Watch as the Health app exports it, in several languages and spellings of numbers."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

import ectopy
from ectopy.recording import Patient
from support.refusals import refusal

MICROVOLT = np.round(150 * np.sin(np.arange(600) / 9) + 40 * np.cos(np.arange(600) / 70), 3)
ENGLISH = (
    *("Name", "Date of Birth", "Recorded Date", "Classification", "Symptoms", "Software Version", "Device"),
    *("Sample Rate", "Lead", "Unit"),
)
FRENCH = (
    *("Nom", "Date de naissance", "Date d’enregistrement", "Classification", "Symptômes", "Version du logiciel"),
    *("Appareil", "Fréquence d’échantillonnage", "Dérivation", "Unité"),
)
SPANISH = (
    *("Nombre", "Fecha de nacimiento", "Fecha de registro", "Clasificación", "Síntomas", "Versión de software"),
    *("Dispositivo", "Frecuencia de muestreo", "Derivación", "Unidad"),
)
CHINESE = ("姓名", "出生日期", "记录日期", "分类", "症状", "软件版本", "设备", "采样率", "导联", "单位")
JAPANESE = (
    "名前",
    "生年月日",
    "記録日",
    "分類",
    "症状",
    "ソフトウェアのバージョン",
    "デバイス",
    "サンプルレート",
    "誘導",
    "単位",
)


def export(
    path: Path,
    keys: tuple[str, ...],
    rate: str,
    lead: str,
    born: str = '"1990-01-31"',
    comma: bool = False,
    separator: str = ",",
) -> Path:
    values = ("Ada Byron", born, "2024-02-01 10:20:30 +0100", "?", "", "1.90", '"Watch6,7"', rate, lead, "µV")
    lines = [f"{key}{separator}{value}" for key, value in zip(keys, values, strict=True)]
    samples = "\n".join(f"{value:g}" for value in MICROVOLT.tolist())
    text = "\n".join([*lines[:-2], "", "", *lines[-2:], "", samples.replace(".", ",") if comma else samples, ""])
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("comma", [False, True])
@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize(
    ("keys", "rate", "lead"),
    [
        (ENGLISH, "512 hertz", "Lead I"),
        (FRENCH, "512 hertz", "Dérivation I"),
        (SPANISH, "512 hercios", "Derivación I"),
        (CHINESE, "512 赫兹", "第I导联"),
        (JAPANESE, "512ヘルツ", "誘導"),
    ],
)
def test_an_export(tmp_path: Path, keys: tuple[str, ...], rate: str, lead: str, comma: bool, separator: str):
    recording = ectopy.read(export(tmp_path / "ecg.csv", keys, rate, lead, comma=comma, separator=separator))
    np.testing.assert_allclose(recording.signal[:, 0], MICROVOLT * 1e-3, atol=1e-6)
    assert (recording.leads, recording.sampling_rate_hz) == (("I",), 512)
    assert recording.start == datetime(2024, 2, 1, 10, 20, 30, tzinfo=timezone(timedelta(hours=1)))
    assert recording.patient == Patient("Ada Byron", "", "", date(1990, 1, 31))
    assert recording.device == "Watch6,7"


def test_a_rate_with_decimals_and_a_date_of_birth_that_cannot_be_read(tmp_path: Path):
    path = export(tmp_path / "ecg.csv", FRENCH, "511,299 hertz", "Dérivation I", born="1990年1月31日", comma=True)
    recording = ectopy.read(path)
    assert recording.sampling_rate_hz == 511.299
    assert recording.patient == Patient("Ada Byron")


def test_an_export_without_a_lead(tmp_path: Path):
    path = export(tmp_path / "ecg.csv", FRENCH, "512 hertz", "Dérivation I")
    lines = [line for line in path.read_text().splitlines() if line and "Dérivation I" not in line]
    path.write_text("\n".join(lines))
    assert ectopy.read(path).sampling_rate_hz == 512


def test_words_that_another_device_would_mean_otherwise(tmp_path: Path):
    path = export(tmp_path / "ecg.csv", FRENCH, "150 Hz", "Dérivation I")
    path.write_text(path.read_text().replace("Watch6,7", "Holter"))
    assert "states no unit" in refusal(path)
    assert "states no sampling rate" in refusal(path, unit="uV")
