package kubernetes

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"baton/tests/harness"
)

const manifests = "../../docker/kubernetes"

// The alert rules are compose's: a copy that has drifted fails here.
func TestPrometheusRuleIsMadeFromTheRulesOfCompose(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		harness.Skip(t, "bash is not installed")
	}
	if out, err := exec.Command(bash, filepath.Join(manifests, "generate.sh"), "--check").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Every overlay builds, holds what it should, and never what promote.sh owns: replicas and weights.
func TestOverlaysBuild(t *testing.T) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		harness.Skip(t, "kubectl is not installed: it builds the overlays")
	}
	for overlay, kinds := range map[string][]string{
		"overlays/blue":       {"Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"},
		"overlays/production": {"Namespace", "NetworkPolicy", "Gateway", "PodMonitor", "PrometheusRule", "ConfigMap"},
		"overlays/local":      {"StatefulSet", "Secret", "Gateway"},
		"route":               {"HTTPRoute"},
	} {
		out, err := exec.Command(kubectl, "kustomize", filepath.Join(manifests, overlay)).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", overlay, err, out)
			continue
		}
		for _, kind := range kinds {
			if !strings.Contains(string(out), "\nkind: "+kind+"\n") {
				t.Errorf("%s has no %s", overlay, kind)
			}
		}
		if overlay != "route" && strings.Contains(string(out), "weight:") {
			t.Errorf("%s holds weights: applying it again would switch", overlay)
		}
	}
}
