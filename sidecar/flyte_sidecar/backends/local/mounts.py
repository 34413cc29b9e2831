"""Which file systems a store may be on: those that only one kernel has mounted.

SQLite's log needs memory that all processes of a store share. Without it, a store is damaged,
often within minutes.
"""

from __future__ import annotations

import os
import sys

from flyte_sidecar.backends.local.error_translation import unavailable

_BY_SEVERAL_HOSTS = (
    "acfs afpfs afs auristorfs beegfs ceph cifs coda cvfs davfs dvs fhgfs gfs gfs2 glusterfs gpfs"
    " ibrix lustre moosefs ncpfs nfs nfs3 nfs4 ocfs2 orangefs panfs pvfs2 smb2 smb3 smbfs snfs"
    " vxfs webdav wekafs"
)
_BY_HOST_AND_GUEST = (
    "9p drvfs fakeowner grpcfuse hostfs osxfs p9fs prl_fs vboxsf virtio-fs virtiofs vmhgfs"
)
_REMOTE = "remote"
"""The platform reports a remote file system without its name."""

_SHARED = frozenset(f"{_BY_SEVERAL_HOSTS} {_BY_HOST_AND_GUEST} {_REMOTE}".split())

_FUSE_OVER_LOCAL_DISKS = frozenset(
    f"fuse.{program}"
    for program in (
        *("bindfs", "cryfs", "encfs", "ext2fs", "fuse-ext2", "fuse-overlayfs", "fuse2fs"),
        *("gocryptfs", "mergerfs", "ntfs", "ntfs-3g", "securefs", "unionfs", "unionfs-fuse"),
    )
)
"""FUSE programs that use local disks. There are countless others, most of them for other hosts."""


def check_file_system(path: str) -> None:
    """Raise unless the path, which may not exist yet, is on a file system of only this host."""
    kind = file_system(path)
    if kind is None or kind in _FUSE_OVER_LOCAL_DISKS:
        return
    if kind in _SHARED or kind.partition(".")[0] in ("fuse", "fusefs"):
        raise unavailable("network", path, "none", kind)


def file_system(path: str) -> str | None:
    """Return the kind of the file system that an absolute path is on, None if it is unknown."""
    try:
        return _of_linux(path) if sys.platform == "linux" else _of_others(path)
    except OSError:
        return None  # no /proc, as in some containers and build roots


def _of_linux(path: str) -> str | None:
    """Return the kind of the mount that the kernel reports for an open file.

    Comparing paths would be wrong if one mount covers another.
    """
    descriptor = _open_nearest(path)
    try:
        with open(f"/proc/self/fdinfo/{descriptor}", "rb") as info:
            mount = next((line.split()[1] for line in info if line.startswith(b"mnt_id:")), None)
    finally:
        os.close(descriptor)
    with open("/proc/self/mountinfo", "rb") as mounts:
        for line in mounts:
            if line.split()[0] == mount:
                return line.partition(b" - ")[2].split()[0].decode("utf-8", "replace")
    return None


def _open_nearest(path: str) -> int:
    """Open the path, or its nearest parent that exists, without opening the file itself.

    O_PATH does not block at a FIFO, and closing such a descriptor drops none of SQLite's locks.
    """
    if sys.platform != "linux":
        raise NotImplementedError
    while True:
        try:
            return os.open(path, os.O_PATH)
        except OSError:
            parent = os.path.dirname(path)
            if parent == path:
                raise
            path = parent


def _of_others(path: str) -> str | None:
    import psutil

    if path.startswith("\\\\") and path[2:3] not in ("?", "."):
        return _REMOTE  # a share that has no drive letter
    point, kind = "", None
    path = os.path.normcase(path)
    for part in psutil.disk_partitions(all=True):
        mounted = os.path.normcase(part.mountpoint)
        inside = path == mounted or path.startswith(mounted.rstrip("/\\") + os.sep)
        if inside and len(mounted) >= len(point):
            flags = part.opts.split(",")
            remote = "remote" in flags or (sys.platform == "darwin" and "local" not in flags)
            point, kind = mounted, _REMOTE if remote else part.fstype
    return kind
