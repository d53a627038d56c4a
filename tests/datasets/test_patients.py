from __future__ import annotations

import pytest

from ectopy.datasets.mitdb import RECORDS
from ectopy.datasets.patients import patient_of


@pytest.mark.parametrize(
    ("record", "patient"),
    [
        ("sel100", "mitdb/100"),
        ("sel223", "mitdb/223"),
        ("sel301", "stdb/301"),
        ("sel803", "svdb/803"),
        ("sel891", "svdb/891"),
        ("sele0104", "edb/e0104"),
        ("sel14046", "ltdb/14046"),
        ("sel15814", "ltdb/15814"),
        ("sel16265", "nsrdb/16265"),
        ("sel17453", "nsrdb/17453"),
        ("sel17152", "qtdb/sel17152"),
        ("sel30", "qtdb/sel30"),
    ],
)
def test_an_excerpt_is_of_the_patient_of_its_source(record: str, patient: str):
    assert patient_of("qtdb", record) == patient


def test_two_records_of_the_arrhythmia_database_are_of_one_patient():
    patients = [patient_of("mitdb", record) for record in RECORDS]
    assert len(set(patients)) == len(RECORDS) - 1
    assert patient_of("mitdb", "201") == patient_of("mitdb", "202") == patient_of("qtdb", "sel202")


def test_elsewhere_the_record_is_the_patient():
    assert patient_of("ltafdb", "202") == "ltafdb/202"
    assert patient_of("cinc2017", "A00001") == "cinc2017/A00001"
