package kubernetes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// accepted applies every overlay, with its components as a user would compose them, to the real API server: strictly, by
// server-side apply. It has nothing to warn of, and the namespace enforces restricted pod security.
func (c *cluster) accepted(t *testing.T) {
	for _, overlay := range []struct {
		name, resources, components string
		kinds                       []string
	}{
		{"local", "overlays/local", "", []string{"statefulset/redis", "deployment/baton-blue", "deployment/baton-green"}},
		{"production", "overlays/production,promoter", "", []string{"hpa/baton-blue", "pdb/baton-green", "role/baton-promoter"}},
		{"KEDA", "overlays/production", "keda", []string{"scaledobject/baton-blue", "scaledobject/baton-green"}},
		{"cert-manager", "overlays/production", "cert-manager", []string{"certificate/baton"}},
		{"both components", "overlays/production,promoter", "keda,cert-manager", []string{"certificate/baton", "scaledobject/baton-blue"}},
		{"Argo Rollouts", "overlays/argo-rollouts", "", []string{"rollout/baton", "analysistemplate/baton-smoke", "analysistemplate/baton-metrics"}},
	} {
		t.Run(overlay.name, func(t *testing.T) {
			here := *c
			here.t = t
			dir := here.compose(overlay.resources, overlay.components)
			here.applied(dir)
			if overlay.resources != "overlays/argo-rollouts" { // which has a route of its own
				here.applied(filepath.Join(manifests, "route"))
			}
			for _, kind := range overlay.kinds {
				here.kubectl("get", kind, "--namespace", "baton")
			}
			here.kubectl("delete", "namespace", "baton", "--wait=true", "--timeout=60s")
		})
	}
}

// applied twice: the second time there is nothing to change, and nobody to conflict with.
func (c *cluster) applied(dir string) {
	c.t.Helper()
	for range 2 {
		out := c.kubectl("apply", "--server-side", "--validate=strict", "--field-manager", "baton", "--kustomize", dir)
		if !strings.Contains(out, "serverside-applied") {
			c.t.Errorf("%s: %s", dir, out)
		}
	}
}

// compose writes an overlay of others' parts.
func (c *cluster) compose(resources, components string) string {
	c.t.Helper()
	dir := c.t.TempDir()
	list := func(parts, folder string) string {
		var paths []string
		for _, part := range strings.Split(parts, ",") {
			if part != "" {
				paths = append(paths, relative(c.t, dir, folder+part))
			}
		}
		return "[" + strings.Join(paths, ", ") + "]"
	}
	text := fmt.Sprintf("resources: %s\ncomponents: %s\n", list(resources, ""), list(components, "components/"))
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return dir
}

// relative is the way to a part of docker/kubernetes: kustomize takes no absolute one.
func relative(t *testing.T, from, part string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(manifests, part))
	if err == nil {
		path, err = filepath.Rel(from, path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// refused shows that the check can fail: a pod that the policy of the namespace does not let in, and a field that is none.
func (c *cluster) refused(t *testing.T) {
	for name, change := range map[string][2]string{
		"a field that is none": {`"op": "add", "path": "/spec/template/spec/colour", "value": "blue"`, "unknown field"},
		"a pod of root's":      {`"op": "replace", "path": "/spec/template/spec/securityContext/runAsNonRoot", "value": false`, "would violate PodSecurity"},
	} {
		t.Run(name, func(t *testing.T) {
			here := *c
			here.t = t
			dir := here.compose("overlays/production", "")
			file, err := os.OpenFile(filepath.Join(dir, "kustomization.yaml"), os.O_APPEND|os.O_WRONLY, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if _, err := fmt.Fprintf(file, "patches: [{target: {kind: Deployment}, patch: '[{%s}]'}]\n", change[0]); err != nil {
				t.Fatal(err)
			}
			out, _ := here.try("apply", "--server-side", "--validate=strict", "--kustomize", dir)
			if !strings.Contains(out, change[1]) {
				t.Errorf("%q, want %q", out, change[1])
			}
			here.kubectl("delete", "namespace", "baton", "--wait=true", "--timeout=60s")
		})
	}
}
