# ruff: noqa: ASYNC240 - what blocks the loop of a test blocks nobody
"""Which file systems a store may be on."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from flyte_sidecar.backends.local import mounts
from flyte_sidecar.errors import StoreUnavailable
from tests.backends.local.conftest import Stores, Worker, get, make
from tests.backends.local.test_files import in_a_mount, refusal
from tests.conftest import TEST_TIMEOUT

SHARED = [
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "coda", "ceph", "glusterfs"),
    *("lustre", "gpfs", "beegfs", "orangefs", "panfs", "ocfs2", "gfs2", "9p", "virtiofs"),
    *("vboxsf", "vmhgfs", "prl_fs", "fakeowner", "drvfs", "osxfs", "fuse", "fuse.sshfs"),
    *("fuse.grpcfuse", "fuse.virtiofs", "fuse.vmhgfs-fuse", "fuse.ceph-fuse", "fuse.glusterfs"),
    *("fuse.juicefs", "fuse.s3fs", "fuse.gcsfuse", "fuse.goofys", "fuse.rclone", "fuse.mfs"),
    *("fuse.blobfuse2", "fuse.davfs", "fuse.osxfs", "fuse.never-heard-of", "fusefs.sshfs"),
]
OWN = [
    *("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "aufs", "f2fs"),
    *("bcachefs", "vfat", "exfat", "ntfs3", "apfs", "hfs", "ufs", "ramfs", "fuseblk"),
    *("fuse.fuse-overlayfs", "fuse.gocryptfs", "fuse.encfs", "fuse.mergerfs", "fuse.bindfs"),
    *("ecryptfs", "rootfs"),
]


@pytest.mark.parametrize("kind", SHARED)
async def test_a_store_on_a_file_system_shared_with_hosts_or_guests_is_rejected(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(mounts, "file_system", lambda _: kind)
    assert await refusal(opened(store)) == {"reason": "network", "outcome": "none"}
    assert not store.exists()


@pytest.mark.parametrize("kind", [*OWN, None])
async def test_a_store_on_a_file_system_of_one_host_is_used(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch, kind: str | None
) -> None:
    monkeypatch.setattr(mounts, "file_system", lambda _: kind)
    await make(opened(store))


@pytest.mark.posix
@pytest.mark.parametrize(
    "name", ["a b", "tab\there", "line\nend", "back\\slash", "#1", "ü", "\udcff"]
)
@pytest.mark.parametrize("inside", ["events.db", "new/folder/events.db"])
def test_a_mount_point_of_any_name_is_recognized(
    worker: Worker, tmp_path: Path, name: str, inside: str
) -> None:
    point = tmp_path / name
    point.mkdir()
    mounted = worker("file_system", point / inside, prefix=in_a_mount("-t tmpfs none", point))
    assert mounted.communicate(timeout=TEST_TIMEOUT)[0] == "tmpfs\n"


@pytest.mark.posix
def test_the_upper_of_two_mounts_on_one_folder_counts(worker: Worker, tmp_path: Path) -> None:
    point = tmp_path / "point"
    (point / "inner").mkdir(parents=True)
    both = f'-t tmpfs none "{point}/inner" && mount -t ramfs none'
    process = worker("file_system", point / "inner" / "events.db", prefix=in_a_mount(both, point))
    assert process.communicate(timeout=TEST_TIMEOUT)[0] == "ramfs\n"


@pytest.mark.posix
def test_a_link_to_a_mount_is_followed(worker: Worker, tmp_path: Path) -> None:
    point, link = tmp_path / "point", tmp_path / "link"
    point.mkdir()
    link.symlink_to(point)
    prefix = in_a_mount("-t tmpfs none", point)
    process = worker("create_on_shared_tmpfs", link / "events.db", prefix=prefix)
    assert process.communicate(timeout=TEST_TIMEOUT)[0] == "store_unavailable network none\n"


@pytest.mark.posix
def test_a_store_without_proc_is_on_a_local_disk(worker: Worker, store: Path) -> None:
    process = worker("create", store, "q", prefix=in_a_mount("-t tmpfs none", Path("/proc")))
    assert process.communicate(timeout=TEST_TIMEOUT)[0].startswith("created ")


def part(point: str, kind: str, opts: str = "rw,local") -> SimpleNamespace:
    return SimpleNamespace(mountpoint=point, fstype=kind, opts=opts)


@pytest.mark.parametrize(
    ("platform", "path", "expected"),
    [
        ("darwin", "/Users/me/events.db", "apfs"),
        ("darwin", "/Volumes/share/events.db", "remote"),
        ("darwin", "/Volumes/share2/events.db", "apfs"),
        ("freebsd14", "/net/events.db", "nfs"),
        ("freebsd14", "/net2/events.db", "apfs"),
        ("win32", "\\\\server\\share\\events.db", "remote"),
    ],
)
def test_other_platforms_report_what_is_remote(
    monkeypatch: pytest.MonkeyPatch, platform: str, path: str, expected: str
) -> None:
    parts = [part("/", "apfs"), part("/Volumes/share", "macfuse", "rw"), part("/net", "nfs")]
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: parts)  # noqa: A006 - its name
    assert mounts.file_system(path) == expected


async def test_the_error_names_the_file_and_the_file_system(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "file_system", lambda _: "virtiofs")
    with pytest.raises(StoreUnavailable, match=r"shared with other machines.*\(virtiofs\)"):
        await get(opened(store))
