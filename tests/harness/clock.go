package harness

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Clock gives a Redis that is not started yet a wall clock that can be stepped. It tells why where that can't be.
func (r *Redis) Clock() (why string) {
	r.t.Helper()
	dir := r.t.TempDir()
	shim, offset := filepath.Join(dir, "clock.so"), filepath.Join(dir, "offset")
	source := filepath.Join(root(), "tests", "harness", "testdata", "clock.c")
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-O2", "-o", shim, source).CombinedOutput(); err != nil {
		return "no clock can be stepped: gcc: " + err.Error() + string(out)
	}
	r.env = append(r.env, "LD_PRELOAD="+shim, "CLOCK_OFFSET="+offset)
	r.clock = offset
	r.Step(0)
	return ""
}

// Step sets how far its clock is off, in whole seconds.
func (r *Redis) Step(off time.Duration) {
	r.t.Helper()
	file, err := os.OpenFile(r.clock, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer file.Close()
	if err := binary.Write(file, binary.NativeEndian, int64(off/time.Second)); err != nil {
		r.t.Fatal(err)
	}
}
