"""Small files in a folder that may be on this machine, in HDFS or in an object store: wherever Spark can write."""

from __future__ import annotations

from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from ectopy.errors import SettingError, short_text


class HadoopFolder:
    """A folder by its path or URL.

    Raises
    ------
    SettingError
        From every method: if the folder cannot be read or written.
    """

    def __init__(self, spark: SparkSession, url: str) -> None:
        self._spark, self._url = spark, url
        self._jvm: Any = spark.sparkContext._jvm
        self._settings: Any = spark.sparkContext._jsc.hadoopConfiguration()

    def folder(self, name: str) -> HadoopFolder:
        """Return a folder in this one."""
        return HadoopFolder(self._spark, f"{self._url}/{name}")

    def names(self) -> list[str]:
        """Return the names of all that is in the folder; none if there is no folder."""
        try:
            folder, files = self._open()
            return [entry.getPath().getName() for entry in files.listStatus(folder)] if files.exists(folder) else []
        except Py4JJavaError as error:
            raise self._error("read", error) from error

    def read(self, name: str) -> bytes | None:
        """Return the content of a file; None if there is no such file."""
        try:
            folder, files = self._open()
            path = self._jvm.org.apache.hadoop.fs.Path(folder, name)
            if not files.exists(path):
                return None
            stream = files.open(path)
            try:
                return bytes(stream.readAllBytes())
            finally:
                stream.close()
        except Py4JJavaError as error:
            raise self._error("read", error) from error

    def write(self, name: str, content: bytes) -> None:
        """Write a file, and the folder if there is none; a file of that name is replaced."""
        try:
            folder, files = self._open()
            files.mkdirs(folder)
            stream = files.create(self._jvm.org.apache.hadoop.fs.Path(folder, name), True)
            try:
                stream.write(bytearray(content))
            finally:
                stream.close()
        except Py4JJavaError as error:
            raise self._error("written", error) from error

    def rename(self, name: str, to: str) -> None:
        """Rename a file, at once where the file system can."""
        try:
            folder, files = self._open()
            path = self._jvm.org.apache.hadoop.fs.Path
            if not files.rename(path(folder, name), path(folder, to)):
                raise SettingError(f"{self._url}/{name} cannot be renamed to {to}.")
        except Py4JJavaError as error:
            raise self._error("written", error) from error

    def _open(self) -> tuple[Any, Any]:
        folder = self._jvm.org.apache.hadoop.fs.Path(self._url)
        return folder, folder.getFileSystem(self._settings)

    def _error(self, verb: str, error: Py4JJavaError) -> SettingError:
        text = str(error.java_exception.getMessage() or error.java_exception.toString())
        if "S3AFileSystem not found" in text:
            return SettingError(
                f"{self._url} cannot be {verb}: Spark lacks the jars of hadoop-aws; leave --jars out, or put them into "
                "its folder."
            )
        return SettingError(f"{self._url} cannot be {verb}: {short_text(text.splitlines()[0]).rstrip('.')}.")
