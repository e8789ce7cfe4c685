//go:build cluster

package kubernetes

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"baton/tests/harness"
)

// envInside says that this process has a network namespace of its own, in which every address of podNetwork is local:
// there each pod has an address, and all of them listen on the same port.
const (
	envInside  = "BATON_TEST_NETWORK"
	podNetwork = "10.244.0.0/16"
)

func TestMain(m *testing.M) {
	if os.Getenv(envInside) == "" && enter() {
		return
	}
	harness.Main(m)
}

// enter runs the tests again in a namespace. Where none can be made it returns false: what needs one is left out.
func enter() bool {
	script := "ip link set lo up && ip route add local " + podNetwork + ` dev lo && exec "$0" "$@"`
	flags := []string{"--net", "--"}
	if os.Geteuid() != 0 {
		flags = append([]string{"--user", "--map-root-user"}, flags...)
	}
	if exec.Command("unshare", append(flags, "sh", "-c", script, "true")...).Run() != nil {
		return false
	}
	inner := exec.Command("unshare", append(append(flags, "sh", "-c", script), os.Args...)...)
	inner.Env = append(os.Environ(), envInside+"=1")
	inner.Stdin, inner.Stdout, inner.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := inner.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		os.Exit(ended.ExitCode())
	}
	if err != nil {
		panic(err)
	}
	return true
}
