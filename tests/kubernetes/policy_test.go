package kubernetes

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The policy that `make lint` checks finds each broken rule: a check that can't fail is none.
func TestPolicyFindsWhatBreaksIt(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "policy")
	if out, err := exec.Command("go", "build", "-o", policy, "../../.ci/policy/main.go").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ask := func(manifest string) string {
		cmd := exec.Command(policy)
		cmd.Stdin = strings.NewReader(manifest)
		out, err := cmd.CombinedOutput()
		if (err == nil) != strings.Contains(string(out), "keep the rules") {
			t.Errorf("exit %v with %q", err, out)
		}
		return string(out)
	}
	if said := ask(goodPod); !strings.HasPrefix(said, "1 kinds of pods keep the rules") {
		t.Fatalf("the good one: %s", said)
	}
	for says, change := range map[string][2]string{
		"runAsNonRoot is not true":               {"runAsNonRoot: true", "runAsNonRoot: false"},
		"runAsUser is not set, or root":          {"runAsUser: 1", "runAsUser: 0"},
		"the seccomp profile is not":             {"RuntimeDefault", "Unconfined"},
		"a service account's token is mounted":   {"automountServiceAccountToken: false", "hostname: a"},
		"a host's namespace is shared":           {"automountServiceAccountToken: false", "automountServiceAccountToken: false, hostNetwork: true"},
		"the grace period is not over the drain": {"terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: 13"},
		"the root file system is not read-only":  {"readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"},
		"privileges may be escalated":            {"allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"},
		"capabilities are not dropped":           {"drop: [ALL]", "drop: [NET_RAW]"},
		"has no version":                         {"a/b:v1", "a/b:latest"},
		"the image r:1/b has no version":         {"a/b:v1", "r:1/b"},
		"cpu or memory is not requested":         {"requests: {cpu: 1, memory: 1}", "requests: {cpu: 1}"},
		"memory is not limited":                  {"limits: {memory: 1}", "limits: {cpu: 1}"},
		"there is no readiness probe":            {"readinessProbe: {}", "stdin: true"},
		"there is no liveness probe":             {"livenessProbe: {}", "stdin: true"},
		"no pod in what was given":               {"containers", "contents"},
	} {
		if said := ask(strings.Replace(goodPod, change[0], change[1], 1)); !strings.Contains(said, says) {
			t.Errorf("%s → %s: %q, want %q", change[0], change[1], said, says)
		}
	}
}

const goodPod = `
kind: Deployment
metadata: {name: a}
spec:
  template:
    spec: {automountServiceAccountToken: false, terminationGracePeriodSeconds: 30,
      securityContext: {runAsNonRoot: true, runAsUser: 1, seccompProfile: {type: RuntimeDefault}},
      containers: [{image: "a/b:v1", readinessProbe: {}, livenessProbe: {}, resources: {requests: {cpu: 1, memory: 1}, limits: {memory: 1}},
        securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}
`
