package harness

import (
	"fmt"
	"syscall"
)

const diskSize = 1 << 30 // bytes

// Disk gives a Redis that is not started yet a disk of its own. It tells why where that can't be.
func (r *Redis) Disk() (why string) {
	r.t.Helper()
	if err := syscall.Mount("tmpfs", r.dir, "tmpfs", 0, fmt.Sprintf("size=%d", diskSize)); err != nil {
		return "no right to mount a small disk: " + err.Error()
	}
	r.t.Cleanup(func() { _ = syscall.Unmount(r.dir, syscall.MNT_DETACH) })
	return ""
}

// FillDisk shrinks the disk to what is on it.
func (r *Redis) FillDisk() {
	r.t.Helper()
	var disk syscall.Statfs_t
	if err := syscall.Statfs(r.dir, &disk); err != nil {
		r.t.Fatal(err)
	}
	const slack = 64 // blocks: it grows while we look
	r.resize((disk.Blocks - disk.Bfree + slack) * uint64(disk.Bsize))
}

// FreeDisk makes room again.
func (r *Redis) FreeDisk() {
	r.t.Helper()
	r.resize(diskSize)
}

func (r *Redis) resize(size uint64) {
	r.t.Helper()
	if err := syscall.Mount("tmpfs", r.dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", size)); err != nil {
		r.t.Fatal(err)
	}
}
