"""What a failed query says is one sentence, with what to do."""

from __future__ import annotations

import pytest

pytest.importorskip("pyspark")

from pyspark.errors import StreamingQueryException

from ectopy.cluster.query_failures import reason_of

STACKS = {
    "no permission": "[STREAM_FAILED] Query terminated.\norg.apache.spark.SparkException: Job aborted\n\tat a.b(D:1)\n"
    "Caused by: org.apache.kafka.common.errors.TopicAuthorizationException: Not authorized to access topics: [ecg]\n",
    "disk": "[STREAM_FAILED]\njava.io.IOException: No space left on device\n\tat java.base/x\n",
    "broker does not answer": "x\nCaused by: org.apache.kafka.common.errors.TimeoutException: Call() timed out\n",
    "Python process": "org.apache.spark.SparkException: Python worker exited unexpectedly (crashed)\n\tat x\n"
    "Caused by: java.io.EOFException\n\tat y\n",
    "ArithmeticException: / by zero": "x\njava.lang.ArithmeticException: / by zero\n\tat x\n",
    "IOException: Broken pipe": "[STREAM_FAILED] Query terminated with exception: Job aborted due to stage failure: "
    "Lost task 0.0 in stage 6.0 (TID 9) (executor driver): java.io.IOException: Broken pipe\n\tat x\n",
    "Python worker failed to connect back.": "[STREAM_FAILED] Query [id = 9934ddd7-3fd4, runId = b55aa4c0-54e0] "
    "terminated with exception: Python worker failed to connect back. SQLSTATE: XXKST",
    "something that nobody expects": "something that nobody expects",
}


@pytest.mark.parametrize("words", STACKS)
def test_the_reason_is_one_sentence(words: str):
    reason = reason_of(StreamingQueryException(STACKS[words]))
    assert words in reason
    assert reason.endswith(".")
    assert "\n" not in reason
    assert "runId" not in reason
