"""A real Slurm of one machine, for tests: started by hand in a temporary folder, ended without a trace.

Debian's slurmctld, slurmd and munge are all it takes, and being root: no systemd, no accounts, nothing in
/etc. It says that it has more cores, memory and cards than there are, so that jobs run side by side.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo", "scontrol")
CARDS = ("/dev/zero", "/dev/full")  # any devices will do: nobody opens them
KNOWS_NO_CGROUPS = (24, 5)  # from this version on Slurm wants to be told; earlier ones do not know the word
PATIENCE = 60.0  # seconds; it takes one or two
_WITHOUT_CGROUPS = (24, 5)  # the first that starts where there are none
CONF = """
ClusterName=scan2k
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmUser=root
SlurmdPort={node_port}
SlurmdPidFile={folder}/slurmd.pid
SlurmdLogFile={folder}/slurmd.log
SlurmdSpoolDir={folder}/spool
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1
MpiDefault=none
KillWait=5
ReturnToService=2
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=16 RealMemory=64000 Gres=gpu:card:2 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES State=UP MaxTime=60
PartitionName=closed Nodes={host} State=DOWN
"""


def why_not() -> str | None:
    """Why no Slurm can be started here, or None."""
    missing = [name for name in PROGRAMS if not shutil.which(name, path=_path())]
    if missing:
        return f"no {', '.join(missing)} here: apt-get install slurmctld slurmd slurm-client munge"
    if os.geteuid():
        return "slurmd wants to be started by root"
    if not Path("/sys/fs/cgroup").is_mount() and _version() < _WITHOUT_CGROUPS:
        return "no file system is mounted at /sys/fs/cgroup, and this slurmd does not start without"
    return None


def wait_until(is_so: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Wait for something to become true, but not for ever."""
    end = time.monotonic() + patience
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {patience:g} s: {what}")
        time.sleep(0.05)


@dataclass
class Slurm:
    """A Slurm that runs, and how to talk to it."""

    folder: Path
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, str]:
        """What the environment of Slurm's programs must say."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": _path()}

    def environment(self) -> dict[str, str]:
        return os.environ | self.variables

    def ask(self, *command: str) -> str:
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=True)
        return done.stdout

    def jobs(self) -> dict[str, str]:
        """The state of every job that has not ended, by number."""
        told = self.ask("squeue", "--noheader", "--format=%A %T").split("\n")
        return dict(line.split(" ") for line in told if line)

    def running(self) -> list[str]:
        return [job for job, state in self.jobs().items() if state == "RUNNING"]

    def cancel(self, *jobs: str) -> None:
        self.ask("scancel", *jobs)

    def clear(self) -> None:
        """End all jobs, and wait until they are gone."""
        if jobs := self.jobs():
            self.cancel(*jobs)
        wait_until(lambda: not self.jobs(), f"jobs end: {self.jobs()}")

    def processes(self) -> list[int]:
        """All that its jobs and daemons have started, which know it from their environment."""
        mark = f"SLURM_CONF={self.folder}/slurm.conf".encode()
        return [process for process in _processes() if mark in _environment(process)]

    def last_words(self) -> str:
        logs = [*self.folder.glob("*.log"), *self.folder.glob("*.out")]
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-1500:]}" for log in logs)


@contextmanager
def slurm_here() -> Iterator[Slurm]:
    """A Slurm with two partitions: `main`, and `closed`, which takes jobs and starts none."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-")))
        slurm = Slurm(folder)
        _write(folder)
        stack.callback(_end, slurm)
        munged = [
            *("munged", "--foreground", "--force", "--num-threads=2", f"--socket={folder}/munge.socket"),
            *(f"--{what}-file={folder}/munge.{what}" for what in ("key", "pid", "seed")),
            f"--log-file={folder}/munge.log",
        ]
        _start(slurm, munged, (folder / "munge.socket").exists)
        _start(slurm, ["slurmctld", "-D"], lambda: _answers(slurm))
        _start(slurm, ["slurmd", "-D", "-N", _host()], lambda: "idle" in slurm.ask("sinfo", "-ho", "%t"))
        yield slurm


def _write(folder: Path) -> None:
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    for name in ("state", "spool"):
        (folder / name).mkdir()
    port, node_port = _free_ports(2)
    conf = CONF.format(folder=folder, host=_host(), port=port, node_port=node_port)
    (folder / "slurm.conf").write_text(conf)
    if _version() >= KNOWS_NO_CGROUPS:
        (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
    (folder / "gres.conf").write_text("".join(f"Name=gpu Type=card File={file}\n" for file in CARDS))


def _start(slurm: Slurm, command: list[str], is_ready: Callable[[], object]) -> None:
    """Start a daemon in the foreground, and wait until it does what it is for."""
    with (slurm.folder / f"{command[0]}.out").open("wb") as out:
        daemon = subprocess.Popen(
            command, env=slurm.environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    slurm.daemons.append(daemon)
    try:
        wait_until(lambda: daemon.poll() is not None or is_ready(), f"{command[0]} is ready")
    except TimeoutError as error:
        raise RuntimeError(slurm.last_words()) from error
    if daemon.poll() is not None:
        raise RuntimeError(f"{command[0]} ended with {daemon.poll()}\n{slurm.last_words()}")


def _end(slurm: Slurm) -> None:
    """End every job, then every daemon, then whatever of theirs is still there."""
    if len(slurm.daemons) == 3:
        slurm.clear()
    for daemon in reversed(slurm.daemons):
        daemon.send_signal(signal.SIGTERM)
    for daemon in slurm.daemons:
        try:
            daemon.wait(timeout=20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
    for process in slurm.processes():
        if process != os.getpid():
            os.kill(process, signal.SIGKILL)


def _answers(slurm: Slurm) -> bool:
    try:
        return bool(slurm.ask("sinfo", "--noheader"))
    except subprocess.CalledProcessError:
        return False


def _path() -> str:
    """Where programs are, those of root included."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _version() -> tuple[int, ...]:
    """Of Slurm, such as 22, 5, 8."""
    ask = subprocess.run(
        ["slurmd", "-V"], env={"PATH": _path()}, capture_output=True, text=True, check=True
    )
    return tuple(int(part) for part in ask.stdout.split()[-1].split(".") if part.isdigit())


def _host() -> str:
    return socket.gethostname().split(".", maxsplit=1)[0]


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _processes() -> list[int]:
    return [int(place.name) for place in Path("/proc").iterdir() if place.name.isdigit()]


def _environment(process: int) -> list[bytes]:
    """The variables a process was started with; none where it is gone or ended."""
    try:
        return Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
