"""Apache Kafka's jars: fetched once by Maven coordinates, checked against ``kafka.lock``, kept in the user's cache.

Maven does it where it is installed, else a resolver in Python; both give the same files.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import shutil
import subprocess
import tempfile
from pathlib import Path

from local_stack.errors import LocalStackError
from local_stack.places import cache_dir

logger = logging.getLogger(__name__)

KAFKA_VERSION = "4.3.0"
COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    "org.slf4j:slf4j-simple:1.7.36",  # without a binding the broker logs nothing
)
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
LOCK = Path(__file__).with_name("kafka.lock")


def kafka_jars() -> Path:
    """The folder that holds the broker's jars and nothing else; fetches them at the first call of this user.

    Raises:
        LocalStackError: they could not be fetched, or are not the files that ``kafka.lock`` names.
    """
    locked = read_lock()
    home = cache_dir()
    jars = home / f"kafka-{KAFKA_VERSION}-{_digest(LOCK)[:8]}"
    if jars.is_dir():
        return jars
    home.mkdir(parents=True, exist_ok=True)
    with (home / "kafka.fetching").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)  # several starts at once fetch it once
        if jars.is_dir():
            return jars
        with tempfile.TemporaryDirectory(dir=home, prefix="fetching-") as scratch:
            fetched = _fetch(Path(scratch))
            _check(fetched, locked)
            fetched.rename(jars)  # a folder under its final name is complete
    return jars


def read_lock() -> dict[str, str]:
    """File name to SHA-256, as ``kafka.lock`` fixes them."""
    pairs = (line.split() for line in LOCK.read_text().splitlines() if line and not line.startswith("#"))
    return {name: digest for digest, name in pairs}


def fetch_with_maven(maven: str, scratch: Path) -> Path:
    """Maven's own resolver; the jars come to lie in the returned folder."""
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"
        for group, artifact, version in (coordinate.split(":") for coordinate in COORDINATES)
    )
    pom = scratch / "pom.xml"
    pom.write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>redress</groupId><artifactId>kafka</artifactId>"
        f"<version>1</version><dependencies>{dependencies}</dependencies></project>"
    )
    jars = scratch / "maven"
    command = [maven, "-q", "-B", "-f", str(pom), COPY, f"-DoutputDirectory={jars}"]
    try:
        subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=600, check=True)
    except subprocess.CalledProcessError as error:
        raise LocalStackError(
            f"Maven could not fetch Kafka: {(error.stdout + error.stderr).strip()[-2000:]}"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LocalStackError(f"Maven could not fetch Kafka: {error}") from error
    return jars


def fetch_with_python(scratch: Path) -> Path:
    """The resolver of the package ``jgo``: neither Maven nor Java is asked for."""
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415  # only the first start needs it

    context = MavenContext(resolver=PythonResolver(), repo_cache=scratch / "repository", timeout=60)
    asked = [context.create_dependency(coordinate) for coordinate in COORDINATES]
    jars = scratch / "python"
    jars.mkdir()
    try:
        inputs, transitive = context.resolver.resolve(asked)
        for dependency in (*inputs, *transitive):
            found = dependency.artifact.resolve()
            shutil.copyfile(found, jars / found.name)
    except Exception as error:  # whatever its HTTP or XML layers raise, the person must read one sentence
        raise LocalStackError(f"Kafka could not be fetched: {error}") from error
    return jars


def _fetch(scratch: Path) -> Path:
    if maven := shutil.which("mvn"):
        try:
            return fetch_with_maven(maven, scratch)
        except LocalStackError as error:
            logger.warning("kafka.maven-failed", extra={"why": str(error)})
    return fetch_with_python(scratch)


def _check(jars: Path, locked: dict[str, str]) -> None:
    found = {jar.name: _digest(jar) for jar in jars.iterdir()}
    if found != locked:
        wrong = ", ".join(sorted(name for name in found.keys() | locked.keys() if found.get(name) != locked.get(name)))
        raise LocalStackError(f"Kafka's jars are not those that {LOCK.name} names: {wrong}")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
